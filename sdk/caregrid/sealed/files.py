"""Seals and opens files. All of it blocks: in async code call it through `asyncio.to_thread`."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from caregrid.disk import full_disk_named, replacing
from caregrid.errors import InputInvalid, InputMissing
from caregrid.sealed.chunks import Reader, open_chunks, read_chunks, seal_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedFile:
    """What is anchored of a sealed file."""

    length: int  #: sealed bytes
    digest: bytes  #: SHA-256 of the sealed bytes


class Writer(Protocol):
    """A file, socket or pipe opened for writing bytes; it may take fewer than it is given."""

    def write(self, data: bytes, /) -> int | None:
        """Take bytes and return how many; None when it is set not to block and has no room right now."""


def seal_file(data_key: bytes, record_id: bytes, source: Path | Reader, target: Path | Writer) -> SealedFile:
    """Seal one file into another, in constant memory.

    A path as `target` appears whole, on disk, or not at all; an existing one is replaced. An open file as
    `source` or `target` is read from, or written to, where it stands, and stays open; after an error, what
    was written is to be dropped by whoever opened it.

    Raises:
        InputMissing: `source` does not exist.
        InputInvalid: `source` is no readable file, or a key or id has the wrong length.
        DiskLow: `target` does not fit; of a path, nothing is left behind.
    """
    digest, length = hashlib.sha256(), 0
    with _reading(source) as plain, _writing(target) as out:
        for sealed in seal_chunks(data_key, record_id, read_chunks(plain)):
            digest.update(sealed)
            length += _write_all(out, sealed)
    return SealedFile(length=length, digest=digest.digest())


def open_file(data_key: bytes, record_id: bytes, source: Path | Reader, target: Path | Writer) -> int:
    """Open a sealed file into another, in constant memory; return the plaintext's length.

    A path as `target`, readable by its owner only, appears when the whole record has proved authentic, or
    not at all. An open file as `target` is given authentic bytes only, but after an error not all of them:
    whoever opened it drops them. Open files stay open.

    Raises:
        SealBroken: the record is cut, altered, of another id, or sealed with another key.
        InputMissing: `source` does not exist.
        InputInvalid: `source` is no readable file, or a key or id has the wrong length.
        DiskLow: `target` does not fit; of a path, nothing is left behind.
    """
    with _reading(source) as sealed, _writing(target) as out:
        return sum(_write_all(out, plain) for plain in open_chunks(data_key, record_id, read_chunks(sealed)))


def _write_all(out: Writer, data: bytes) -> int:
    rest = data
    with full_disk_named():
        while rest:
            taken = out.write(rest)
            if taken is None:
                raise InputInvalid("the target takes no bytes right now; pass one that blocks until it does")
            rest = rest[taken:]
    return len(data)


@contextmanager
def _writing(target: Path | Writer) -> Iterator[Writer]:
    if isinstance(target, Path):
        with replacing(target) as file:
            yield file
    else:
        yield target


@contextmanager
def _reading(source: Path | Reader) -> Iterator[Reader]:
    if not isinstance(source, Path):
        yield source
        return
    try:
        file = source.open("rb", buffering=0)
    except FileNotFoundError as exc:
        raise InputMissing from exc
    except OSError as exc:
        raise InputInvalid(f"the source cannot be read ({exc.strerror}); pass a readable file") from exc
    with file:
        yield file
