"""Seals and opens files. All of it blocks: in async code call it through `asyncio.to_thread`."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from caregrid.errors import DiskLow, InputInvalid, InputMissing
from caregrid.sealed.layout import SEGMENT_SIZE
from caregrid.sealed.stream import Opener, Sealer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedFile:
    """What is anchored of a sealed file."""

    length: int  #: sealed bytes
    digest: bytes  #: SHA-256 of the sealed bytes


def seal_file(data_key: bytes, record_id: bytes, source: Path, target: Path) -> SealedFile:
    """Seal one file into another, in constant memory; `target` appears whole, on disk, or not at all.

    A `target` that exists is replaced.

    Raises:
        InputMissing: `source` does not exist.
        InputInvalid: `source` is no readable file, or a key or id has the wrong length.
        DiskLow: `target` does not fit; nothing is left behind.
    """
    sealer, digest, length = Sealer(data_key, record_id), hashlib.sha256(), 0
    with _reading(source) as plain, _replacing(target) as out:
        for sealed in _through(sealer, plain):
            digest.update(sealed)
            length += out.write(sealed)
    return SealedFile(length=length, digest=digest.digest())


def open_file(data_key: bytes, record_id: bytes, source: Path, target: Path) -> int:
    """Open a sealed file into another, in constant memory; return the plaintext's length.

    `target`, readable by its owner only, appears when the whole record has proved authentic, or not at all.

    Raises:
        SealBroken: the record is cut, altered, of another id, or sealed with another key.
        InputMissing: `source` does not exist.
        InputInvalid: `source` is no readable file, or a key or id has the wrong length.
        DiskLow: `target` does not fit; nothing is left behind.
    """
    opener, length = Opener(data_key, record_id), 0
    with _reading(source) as sealed, _replacing(target) as out:
        for plain in _through(opener, sealed):
            length += out.write(plain)
    return length


def _through(stream: Sealer | Opener, file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(SEGMENT_SIZE):
        yield stream.update(chunk)
    yield stream.finish()


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError as exc:
        raise InputMissing from exc
    except OSError as exc:
        raise InputInvalid(f"the source cannot be read ({exc.strerror}); pass a readable file") from exc
    with file:
        yield file


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with _create(part) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
        _sync_folder(target.parent)
    except OSError as exc:
        if exc.errno in _DISK_FULL:
            raise DiskLow from exc
        raise
    finally:
        part.unlink(missing_ok=True)


def _create(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileNotFoundError as exc:
        raise InputInvalid("the target's folder does not exist; create it first") from exc


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder, and makes renames durable by itself
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
