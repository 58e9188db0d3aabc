from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid.disk import full_disk_named
from caregrid.errors import InputEmpty, InputInvalid, ObjectTooLarge
from caregrid.storage import _files
from caregrid.storage.file_id import MAX_SEGMENTS, SEGMENT_SIZE, FileIdHasher
from caregrid.storage.port import SizedStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import BinaryIO

    from caregrid.storage.port import Source

#: The largest object there can be.
MAX_OBJECT_SIZE: Final = MAX_SEGMENTS * SEGMENT_SIZE

_READ_SIZE: Final = 1024 * 1024
_SHORT: Final = "the file could not be read to its end; store it again"


class SourceFile:
    """A file that is being stored; it is read in pieces, from any place."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.size = file, size

    def read_at(self, offset: int, length: int) -> bytes:
        try:
            self._file.seek(offset)
            data = self._file.read(length)
        except OSError as exc:
            raise InputInvalid(_SHORT) from exc
        if len(data) != length:
            raise InputInvalid(_SHORT)
        return data

    async def pieces(self, start: int, end: int) -> AsyncIterator[bytes]:
        for offset in range(start, end, _READ_SIZE):
            yield await asyncio.to_thread(self.read_at, offset, min(_READ_SIZE, end - offset))

    async def object_id(self) -> bytes:
        hasher = FileIdHasher()
        for start in range(0, self.size, SEGMENT_SIZE):
            await asyncio.to_thread(self._hash_segment, hasher, start)
        return await asyncio.to_thread(hasher.finish)

    def _hash_segment(self, hasher: FileIdHasher, start: int) -> None:
        for offset in range(start, min(start + SEGMENT_SIZE, self.size), _READ_SIZE):
            hasher.update(self.read_at(offset, min(_READ_SIZE, self.size - offset)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Spooled(SizedStream):
    """A stream that is a file by now, and so can be stored more than once."""

    file: SourceFile


@asynccontextmanager
async def repeatable(source: Source) -> AsyncIterator[Source]:
    """Give a source that can be stored several times, one after the other; errors as `opened`."""
    if isinstance(source, Path):
        yield source
        return
    async with opened(source) as file:
        yield _Spooled(chunks=file.pieces(0, file.size), size=file.size, file=file)


@asynccontextmanager
async def opened(source: Source) -> AsyncIterator[SourceFile]:
    """Open what is to be stored; a stream becomes a file without a name first, so that it can be sent again.

    Raises:
        InputEmpty: it is empty.
        InputMissing: there is no such file.
        InputInvalid: it cannot be read, or a stream is not as long as was said.
        ObjectTooLarge: it is larger than an object can be.
    """
    if isinstance(source, _Spooled):
        yield source.file
        return
    if isinstance(source, Path):
        file = await asyncio.to_thread(_files.open_source, source)
        size = _files.size_of(file)
    else:
        _require_size(source.size)
        file = await _spooled(source)
        size = source.size
    try:
        _require_size(size)
        yield SourceFile(file, size)
    finally:
        file.close()


def _require_size(size: int) -> None:
    if size == 0:
        raise InputEmpty
    if size > MAX_OBJECT_SIZE:
        raise ObjectTooLarge


async def _spooled(source: SizedStream) -> BinaryIO:
    file: BinaryIO = await asyncio.to_thread(tempfile.TemporaryFile)
    try:
        await _copy(source, file)
    except BaseException:
        file.close()
        raise
    return file


async def _copy(source: SizedStream, file: BinaryIO) -> None:
    received = 0
    async for chunk in source.chunks:
        received += len(chunk)
        if received > source.size:
            break
        await asyncio.to_thread(_write, file, chunk)
    if received != source.size:
        raise InputInvalid(
            f"the stream is not of the {source.size} bytes that were announced; store it again"
        )
    await asyncio.to_thread(_flush, file)


def _write(file: BinaryIO, chunk: bytes) -> None:
    with full_disk_named():
        file.write(chunk)


def _flush(file: BinaryIO) -> None:
    with full_disk_named():
        file.flush()
