"""Seals and opens files. All of it blocks: in async code call it through `asyncio.to_thread`."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from caregrid.disk import replacing
from caregrid.errors import InputInvalid, InputMissing
from caregrid.sealed.layout import SEGMENT_SIZE
from caregrid.sealed.stream import Opener, Sealer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
    with _reading(source) as plain, replacing(target) as out:
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
    with _reading(source) as sealed, replacing(target) as out:
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
