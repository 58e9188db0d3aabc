"""Reading parts of a record that lies elsewhere."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import InputInvalid, SealBroken, SealTruncated
from caregrid.sealed import SealedReader, new_data_key, new_record_id, seal
from tests.unit.sealed.samples import EDGES, FIRST, MIB, SECOND, pattern, pieces_async, served

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

KEY: Final = new_data_key()
RECORD: Final = new_record_id()
PLAIN: Final = pattern(2 * SECOND)
SEALED: Final = seal(KEY, RECORD, PLAIN)


class Counting:
    """A source of ranges that notes what it was asked for, and what was left open."""

    def __init__(self, content: bytes = SEALED, size: int = 100_000) -> None:
        self.content, self.size = content, size
        self.asked: list[tuple[int, int]] = []
        self.closed = 0

    async def __call__(self, offset: int, length: int) -> AsyncGenerator[bytes]:
        """Serve one range."""
        self.asked.append((offset, length))
        try:
            async for piece in pieces_async(self.content[offset : offset + length], self.size):
                yield piece
        finally:
            self.closed += 1


@given(data=st.data())
async def test_any_range_reads_as_the_plaintext(data: st.DataObject) -> None:
    """Every range, in chunks of any size, gives exactly what the whole record has there."""
    edge = data.draw(st.sampled_from([0, FIRST, SECOND, SECOND + MIB - 16, len(PLAIN) - 1]))
    offset = min(max(0, edge + data.draw(st.integers(-2, 2))), len(PLAIN) - 1)
    length = data.draw(st.integers(1, len(PLAIN) - offset))
    source = served(SEALED, data.draw(st.integers(50_000, 3 * MIB)))
    reader = SealedReader(KEY, RECORD, source, len(SEALED))
    assert PLAIN[offset : offset + length] == await reader.read(offset, length)


@pytest.mark.parametrize("length", EDGES)
async def test_all_of_it(length: int) -> None:
    """The whole record streams, an empty one too, whose seal is checked all the same."""
    sealed = seal(KEY, RECORD, PLAIN[:length])
    reader = SealedReader(KEY, RECORD, served(sealed), len(sealed))
    assert length == reader.length
    assert PLAIN[:length] == b"".join([chunk async for chunk in reader.stream()])
    forged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    with pytest.raises(SealBroken):
        [chunk async for chunk in SealedReader(KEY, RECORD, served(forged), len(sealed)).stream()]


async def test_only_the_segments_of_the_range_are_fetched() -> None:
    """One request a range, and one for the header before the first that needs it."""
    source = Counting()
    reader = SealedReader(KEY, RECORD, source, len(SEALED))
    assert PLAIN[10:20] == await reader.read(10, 10)
    assert [(0, MIB)] == source.asked
    assert PLAIN[SECOND : SECOND + 9] == await reader.read(SECOND, 9)
    assert [(0, MIB), (0, 40), (2 * MIB, MIB)] == source.asked
    assert PLAIN[SECOND - 1 : SECOND + 1] == await reader.read(SECOND - 1, 2)
    assert [(MIB, 2 * MIB)] == source.asked[3:]
    assert len(source.asked) == source.closed


async def test_a_bad_answer_does_not_stay() -> None:
    """A header that proved wrong is fetched again, since another gateway may have the right one."""
    source = Counting(bytes([SEALED[0], SEALED[1] ^ 1]) + SEALED[2:])
    reader = SealedReader(KEY, RECORD, source, len(SEALED))
    with pytest.raises(SealBroken):
        await reader.read(SECOND, 9)
    source.content = SEALED
    assert PLAIN[SECOND : SECOND + 9] == await reader.read(SECOND, 9)
    assert PLAIN[SECOND : SECOND + 9] == await reader.read(SECOND, 9)
    assert 3 == source.asked.count((2 * MIB, MIB))
    assert 2 == source.asked.count((0, 40))


async def test_leaving_early_lets_the_source_go() -> None:
    """A stream closed after its first chunk has closed what it read from."""
    source = Counting()
    async with aclosing(SealedReader(KEY, RECORD, source, len(SEALED)).stream()) as content:
        assert PLAIN.startswith(await anext(content))
    assert (1, 1) == (len(source.asked), source.closed)


@pytest.mark.parametrize("offset", [0, SECOND])
async def test_a_source_that_gives_too_little_or_too_much(offset: int) -> None:
    """Fewer bytes than asked for, or more, are refused; an endless answer is not read to its end."""
    with pytest.raises(SealTruncated):
        await SealedReader(KEY, RECORD, served(SEALED[: offset + 1000]), len(SEALED)).read(offset, 5)
    given = 0

    async def endless(start: int, length: int) -> AsyncGenerator[bytes]:
        nonlocal given
        while True:
            given += 1
            yield SEALED[start : start + min(length, MIB)]

    with pytest.raises(SealBroken):
        await SealedReader(KEY, RECORD, endless, len(SEALED)).read(offset, 5)
    assert given <= 4


async def test_a_cut_header_is_told() -> None:
    """A source that has not even forty bytes is one that ends too early."""

    async def source(start: int, length: int) -> AsyncGenerator[bytes]:
        yield SEALED[start : start + length - 1]

    with pytest.raises(SealTruncated):
        await SealedReader(KEY, RECORD, source, len(SEALED)).read(SECOND, 5)


async def test_ranges_outside_the_record_are_refused() -> None:
    """Before anything is fetched."""
    source = Counting()
    reader = SealedReader(KEY, RECORD, source, len(SEALED))
    for offset, length in ((-1, 5), (0, 0), (len(PLAIN), 1), (len(PLAIN) - 1, 2)):
        with pytest.raises(InputInvalid):
            await reader.read(offset, length)
    assert [] == source.asked


def test_lengths_and_keys_that_cannot_be() -> None:
    """They are refused when the reader is made."""
    with pytest.raises(SealBroken):
        SealedReader(KEY, RECORD, served(b""), 55)
    with pytest.raises(InputInvalid):
        SealedReader(bytes(16), RECORD, served(b""), 56)
