"""Whatever is done to a sealed record, no way of reading it gives a byte that is not its own."""

from __future__ import annotations

import asyncio
import io
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import SealBroken
from caregrid.sealed import (
    SealedReader,
    open_chunks,
    open_chunks_async,
    open_file,
    open_range,
    open_sealed,
    seal,
    sealed_range,
)
from tests.unit.sealed.samples import MIB, SECOND, pattern, pieces, pieces_async, served

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

KEY: Final = bytes(range(32))
RECORD: Final = bytes(range(16))
PLAIN: Final = pattern(SECOND + 54_321)
SEALED: Final = seal(KEY, RECORD, PLAIN)
LENGTH: Final = len(SEALED)
#: What a forger has: the record, another one under the same key and id, and zeros.
HAD: Final = {"own": SEALED, "other": seal(KEY, RECORD, bytes(len(PLAIN))), "zeros": bytes(LENGTH)}
#: What was ever sealed under key and id; in the field, one record only.
SEALED_PLAIN: Final = (PLAIN, bytes(len(PLAIN)))
#: Where segments begin.
SEGMENTS: Final = (0, MIB, 2 * MIB)
#: Positions in the header, and beside it and the edges of segments and tags.
NEAR: Final = (
    0,
    1,
    32,
    33,
    39,
    40,
    41,
    55,
    56,
    MIB - 17,
    MIB - 1,
    MIB,
    MIB + 16,
    MIB + 17,
    2 * MIB,
    LENGTH - 1,
)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes that a forger takes from what he has."""

    source: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Forgery:
    """What a forger serves: parts of what he has, one after the other, and perhaps a bit flipped."""

    parts: tuple[Part, ...]
    flipped: tuple[int, int] | None = None  #: a byte's position and a bit

    def __call__(self) -> bytes:
        """Return its bytes."""
        made = bytearray().join(HAD[part.source][part.start : part.stop] for part in self.parts)
        if self.flipped is not None:
            made[self.flipped[0]] ^= 1 << self.flipped[1]
        return bytes(made)


positions: Final = st.one_of(st.sampled_from(NEAR), st.integers(0, LENGTH - 1))
segments: Final = st.builds(
    lambda source, start: Part(source, start, min(start + MIB, LENGTH)),
    st.sampled_from(["own", "own", "other"]),
    st.sampled_from(SEGMENTS),
)

#: A bit of the record is flipped.
flips: Final = st.builds(
    lambda position, bit: Forgery((Part("own", 0, LENGTH),), (position, bit)), positions, st.integers(0, 7)
)
#: The record's end, its start or a piece from its middle is missing.
cuts: Final = st.builds(
    lambda one, two: Forgery((Part("own", 0, min(one, two)), Part("own", max(one, two), LENGTH))),
    positions,
    st.one_of(st.just(LENGTH), positions),
)
#: Bytes are added at the end or before: a few, or a whole segment.
additions: Final = st.builds(
    lambda at, added: Forgery((Part("own", 0, at), added, Part("own", at, LENGTH))),
    st.one_of(st.just(LENGTH), st.just(LENGTH), positions),
    st.one_of(segments, st.integers(1, 60).map(lambda length: Part("zeros", 0, length))),
)
#: Segments are swapped, repeated, dropped, or of another record.
orders: Final = st.lists(segments, max_size=5).map(lambda chosen: Forgery(tuple(chosen)))

forgeries: Final = st.one_of(flips, cuts, additions, orders).filter(
    lambda forgery: forgery() not in (SEALED, HAD["other"])
)


async def gathered(content: AsyncGenerator[bytes], into: bytearray) -> None:
    """Keep all that a reader is given, also before it fails."""
    async with aclosing(content):
        async for chunk in content:
            into += chunk


def by_chunks(forged: bytes, size: int, got: bytearray) -> None:
    """Read as an iterator."""
    for chunk in open_chunks(KEY, RECORD, pieces(forged, size)):
        got += chunk


def by_awaiting(forged: bytes, size: int, got: bytearray) -> None:
    """Read as an asynchronous iterator."""
    asyncio.run(gathered(open_chunks_async(KEY, RECORD, pieces_async(forged, size)), got))


def by_file(forged: bytes, size: int, got: bytearray) -> None:
    """Read from one open file into another."""
    del size
    target = io.BytesIO()
    try:
        open_file(KEY, RECORD, io.BytesIO(forged), target)
    finally:
        got += target.getvalue()


def at_once(forged: bytes, size: int, got: bytearray) -> None:
    """Read in one piece."""
    del size
    got += open_sealed(KEY, RECORD, forged)


def by_reader(forged: bytes, size: int, got: bytearray) -> None:
    """Read all through ranges, believing the forger's length."""
    reader = SealedReader(KEY, RECORD, served(forged, size), len(forged))
    asyncio.run(gathered(reader.stream(), got))


WHOLE: Final[list[Callable[[bytes, int, bytearray], None]]] = [
    by_chunks,
    by_awaiting,
    by_file,
    at_once,
    by_reader,
]


@pytest.mark.parametrize("read", WHOLE)
@given(forgery=forgeries, size=st.sampled_from([200_003, MIB, 3 * MIB]))
def test_every_forgery_is_refused(
    read: Callable[[bytes, int, bytearray], None], forgery: Forgery, size: int
) -> None:
    """It ends in an error, and what came before it is the beginning of the true plaintext."""
    got = bytearray()
    with pytest.raises(SealBroken):
        read(forgery(), size, got)
    assert any(plain.startswith(got) for plain in SEALED_PLAIN)


@given(forgery=forgeries, data=st.data())
def test_a_range_is_authentic_or_refused(forgery: Forgery, data: st.DataObject) -> None:
    """With the anchored length, a range gives what was sealed at that place, or an error."""
    offset = data.draw(st.sampled_from([0, MIB - 60, MIB - 50, SECOND - 1, SECOND, len(PLAIN) - 1]))
    length = data.draw(st.integers(1, len(PLAIN) - offset))
    got, refused = bytearray(), False
    reader = SealedReader(KEY, RECORD, served(forgery()), LENGTH)
    try:
        asyncio.run(gathered(reader.stream(offset, length), got))
    except SealBroken:
        refused = True
    assert refused or len(got) == length
    assert any(plain[offset : offset + length].startswith(got) for plain in SEALED_PLAIN)


@given(forgery=flips)
def test_damage_within_a_range_is_always_refused(forgery: Forgery) -> None:
    """A flipped bit in the header or the range's segments fails it; one elsewhere leaves it as it was."""
    forged = forgery()
    wanted = sealed_range(len(SEALED), MIB, 10)
    body = forged[wanted.start : wanted.start + wanted.length]
    touched = body != SEALED[wanted.start : wanted.start + wanted.length] or forged[:40] != SEALED[:40]
    if touched:
        with pytest.raises(SealBroken):
            open_range(KEY, RECORD, wanted, header=forged[:40], sealed=body)
    else:
        assert PLAIN[MIB : MIB + 10] == open_range(KEY, RECORD, wanted, header=forged[:40], sealed=body)
