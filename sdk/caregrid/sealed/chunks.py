"""Seals and opens records as they pass, from any iterator or reader to any consumer, in constant memory.

Chunks may have any length, empty ones included; what comes out has at most about two segments a piece.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Protocol

from caregrid.errors import InputInvalid
from caregrid.sealed.layout import SEGMENT_SIZE
from caregrid.sealed.stream import Opener, Sealer

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Iterator

    from cryptography.utils import Buffer


class Reader(Protocol):
    """A file, socket or pipe opened for reading bytes; it may return fewer than asked for."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most so many bytes, and none at the end."""


class AsyncReader(Protocol):
    """As `Reader`, to be awaited; `asyncio.StreamReader` is one."""

    async def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, and none at the end."""


def seal_chunks(data_key: bytes, record_id: bytes, plaintext: Iterable[Buffer]) -> Generator[bytes]:
    """Yield a sealed record as its plaintext arrives; a generator as source is closed with it.

    Raises:
        InputInvalid: the data key is not 32 bytes or the record id not 16; raised at once.
    """
    return _through(Sealer(data_key, record_id), plaintext)


def open_chunks(data_key: bytes, record_id: bytes, sealed: Iterable[Buffer]) -> Generator[bytes]:
    """Yield a record's plaintext as its sealed bytes arrive; a generator as source is closed with it.

    Everything yielded is authentic and in order, but only the end without an error tells that it is the
    *whole* record: act on nothing before.

    Raises:
        SealBroken: the record is cut, altered, reordered, extended, of another id or sealed with another key.
        InputInvalid: the data key is not 32 bytes or the record id not 16; raised at once.
    """
    return _through(Opener(data_key, record_id), sealed)


def seal_chunks_async(
    data_key: bytes, record_id: bytes, plaintext: AsyncIterable[Buffer]
) -> AsyncGenerator[bytes]:
    """As `seal_chunks`, from an asynchronous source."""
    return _through_async(Sealer(data_key, record_id), plaintext)


def open_chunks_async(
    data_key: bytes, record_id: bytes, sealed: AsyncIterable[Buffer]
) -> AsyncGenerator[bytes]:
    """As `open_chunks`, from an asynchronous source."""
    return _through_async(Opener(data_key, record_id), sealed)


def read_chunks(file: Reader) -> Generator[bytes]:
    """Yield what a reader gives up to its end; it stays open.

    Raises:
        InputInvalid: it is set not to block and has nothing right now.
    """
    while chunk := file.read(SEGMENT_SIZE):
        yield chunk
    if chunk is None:
        raise InputInvalid("the source has no bytes right now; pass one that blocks until it has some")


async def read_chunks_async(reader: AsyncReader) -> AsyncGenerator[bytes]:
    """As `read_chunks`, from a reader to be awaited."""
    while chunk := await reader.read(SEGMENT_SIZE):
        yield chunk


def _through(stream: Sealer | Opener, chunks: Iterable[Buffer]) -> Generator[bytes]:
    try:
        for chunk in chunks:
            yield from _ready(stream, chunk)
    finally:
        if isinstance(chunks, Generator):
            chunks.close()
    yield from filter(None, [stream.finish()])


async def _through_async(stream: Sealer | Opener, chunks: AsyncIterable[Buffer]) -> AsyncGenerator[bytes]:
    try:
        async for chunk in chunks:
            for ready in _ready(stream, chunk):
                yield ready
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    if rest := stream.finish():
        yield rest


def _ready(stream: Sealer | Opener, chunk: Buffer) -> Iterator[bytes]:
    """Pass a chunk on in pieces, so that one long chunk does not come out in one, too."""
    with memoryview(chunk).cast("B") as view:
        for start in range(0, len(view), SEGMENT_SIZE):
            with view[start : start + SEGMENT_SIZE] as piece:
                ready = stream.update(piece)
            if ready:
                yield ready
