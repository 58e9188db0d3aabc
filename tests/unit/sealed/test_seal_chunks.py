"""Sealing and opening what passes in chunks, pulled and awaited."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import tracemalloc
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import InputInvalid, SealBroken
from caregrid.sealed import (
    SEGMENT_SIZE,
    new_data_key,
    new_record_id,
    open_chunks,
    open_chunks_async,
    open_sealed,
    read_chunks,
    read_chunks_async,
    seal,
    seal_chunks,
    seal_chunks_async,
    sealed_length,
)
from tests.unit.sealed.samples import MIB, SECOND, pattern, pieces, pieces_async

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

KEY: Final = new_data_key()
RECORD: Final = new_record_id()
PLAIN: Final = pattern(SECOND + 12_345)
SIZES: Final = (4_099, 65_536, MIB - 1, MIB, MIB + 1, 10 * MIB)


class Trickle(io.RawIOBase):
    """A file that gives or takes a few bytes at a time, as a socket or a raw disk may."""

    def __init__(self, content: bytes, step: int) -> None:
        self._content, self._step = io.BytesIO(content), step

    def read(self, size: int = -1, /) -> bytes:
        """Return fewer bytes than asked for."""
        return self._content.read(min(size, self._step))


@pytest.mark.parametrize("size", SIZES)
def test_chunks_of_any_size_go_and_come_back(size: int) -> None:
    """On either side, chunks that match no segment give the same record."""
    sealed = b"".join(seal_chunks(KEY, RECORD, pieces(PLAIN, size)))
    assert sealed_length(len(PLAIN)) == len(sealed)
    assert PLAIN == b"".join(open_chunks(KEY, RECORD, pieces(sealed, size)))


@pytest.mark.parametrize("size", SIZES)
async def test_awaited_chunks_go_and_come_back(size: int) -> None:
    """The same from an asynchronous source."""
    sealing = seal_chunks_async(KEY, RECORD, pieces_async(PLAIN, size))
    sealed = b"".join([chunk async for chunk in sealing])
    assert sealed_length(len(PLAIN)) == len(sealed)
    opening = open_chunks_async(KEY, RECORD, pieces_async(sealed, size))
    assert PLAIN == b"".join([chunk async for chunk in opening])


@given(st.lists(st.binary(max_size=9), max_size=40))
def test_tiny_and_empty_chunks(chunks: list[bytes]) -> None:
    """Single bytes and nothing at all are chunks, too."""
    plain = b"".join(chunks)
    sealed = b"".join(seal_chunks(KEY, RECORD, chunks))
    assert plain == open_sealed(KEY, RECORD, sealed)
    one_by_one = (sealed[at : at + 1] for at in range(len(sealed)))
    assert plain == b"".join(open_chunks(KEY, RECORD, one_by_one))


def test_short_reads_are_no_end() -> None:
    """A reader may give fewer bytes than asked for, until it gives none."""
    sealed = b"".join(seal_chunks(KEY, RECORD, read_chunks(Trickle(PLAIN, 30_011))))
    assert PLAIN == b"".join(open_chunks(KEY, RECORD, read_chunks(Trickle(sealed, 70_001))))


async def test_awaited_readers() -> None:
    """An `asyncio.StreamReader` is a source of chunks; here over a real socket pair."""
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near)
    _, sender = await asyncio.open_connection(sock=far)
    sealed = seal(KEY, RECORD, PLAIN)

    async def send() -> None:
        sender.write(sealed)
        await sender.drain()
        sender.close()
        await sender.wait_closed()

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        opening = open_chunks_async(KEY, RECORD, read_chunks_async(reader))
        assert PLAIN == b"".join([chunk async for chunk in opening])
    writer.close()
    await writer.wait_closed()


def test_a_reader_without_bytes_right_now_is_refused() -> None:
    """One that is set not to block is not mistaken for one at its end: that would seal half a file."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading, "rb", 0) as source, os.fdopen(writing, "wb", 0) as target:
        target.write(b"half of it")
        with pytest.raises(InputInvalid, match="right now"):
            list(seal_chunks(KEY, RECORD, read_chunks(source)))


def test_a_long_chunk_comes_out_in_pieces() -> None:
    """Memory is bounded by segments, however long the chunks are."""
    sealed = list(seal_chunks(KEY, RECORD, [PLAIN]))
    assert max(map(len, sealed)) <= 2 * SEGMENT_SIZE
    assert max(map(len, open_chunks(KEY, RECORD, [b"".join(sealed)]))) <= 2 * SEGMENT_SIZE


def test_memory_does_not_grow_with_the_stream() -> None:
    """64 MiB pass through sealing and opening within 8 MiB."""
    chunk, passed = bytes(300_000), 0
    tracemalloc.start()
    try:
        for plain in open_chunks(KEY, RECORD, seal_chunks(KEY, RECORD, (chunk for _ in range(224)))):
            passed += len(plain)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 224 * len(chunk) == passed
    assert peak < 8 * MIB


def test_wrong_keys_are_told_before_anything_is_read() -> None:
    """A key or id that cannot be one is refused at the call, not at the first chunk."""
    for work in (seal_chunks, open_chunks):
        with pytest.raises(InputInvalid):
            work(bytes(31), RECORD, [])
    for awaited in (seal_chunks_async, open_chunks_async):
        with pytest.raises(InputInvalid):
            awaited(KEY, bytes(17), pieces_async(b"", 1))


def test_closing_early_closes_the_source() -> None:
    """Whoever stops reading releases what is behind it, and no plaintext comes after that."""
    closed = []

    def source() -> Generator[bytes]:
        try:
            yield from pieces(seal(KEY, RECORD, PLAIN), 700_000)
        finally:
            closed.append(True)

    behind = source()  # held, so that it is not closed by being dropped
    opening = open_chunks(KEY, RECORD, behind)
    next(opening)
    opening.close()
    assert [True] == closed
    assert [] == list(opening)


async def test_closing_early_closes_an_awaited_source() -> None:
    """The same for `async for`, also when the record proves broken."""
    closed = []
    sealed = seal(KEY, RECORD, PLAIN)

    async def source(content: bytes) -> AsyncGenerator[bytes]:
        try:
            for piece in pieces(content, 700_000):
                yield piece
        finally:
            closed.append(len(content))

    async with aclosing(open_chunks_async(KEY, RECORD, source(sealed))) as opening:
        await anext(opening)
    assert [len(sealed)] == closed
    with pytest.raises(SealBroken):
        [chunk async for chunk in open_chunks_async(KEY, RECORD, source(sealed[:-1]))]
    assert [len(sealed), len(sealed) - 1] == closed


def test_a_fault_of_the_source_comes_through() -> None:
    """A source that breaks off is not taken for one at its end."""

    def source() -> Generator[bytes]:
        yield bytes(10)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        list(seal_chunks(KEY, RECORD, source()))
