"""Reed-Solomon coding against CESS's parity, and restoring from any four."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import caregrid_native
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import FragmentsMissing, InputEmpty, InputInvalid, InputTooLarge
from caregrid.storage import reed_solomon
from caregrid.storage.file_id import FRAGMENT_SIZE, SEGMENT_SIZE
from caregrid.storage.reed_solomon import SegmentBuffer

if TYPE_CHECKING:
    from collections.abc import Callable

ZERO_FRAGMENT = "2daeb1f36095b44b318410b3f4e8b5d989dcc7bb023d1426c492dab0a3053e74"
CESS_PARITY_ROWS = [
    [27, 28, 18, 20],
    [28, 27, 20, 18],
    [18, 20, 27, 28],
    [20, 18, 28, 27],
    [245, 232, 196, 216],
    [232, 245, 216, 196],
    [196, 216, 245, 232],
    [216, 196, 232, 245],
]

shard_sets = st.integers(min_value=1, max_value=300).flatmap(
    lambda length: st.lists(st.binary(min_size=length, max_size=length), min_size=4, max_size=4)
)
four_indexes = st.permutations(range(12)).map(lambda order: order[:4])


def test_parity_rows_are_those_of_cess() -> None:
    """A unit vector in each column brings out the parity matrix that CESS uses."""
    columns = [[bytes([int(index == unit)]) for index in range(4)] for unit in range(4)]
    parity = [reed_solomon.encode_shards(column) for column in columns]
    assert [[parity[unit][row][0] for unit in range(4)] for row in range(8)] == CESS_PARITY_ROWS


def test_fragments_equal_those_of_cess() -> None:
    """The fragments of the one-byte vector have the hashes that the stock CESS SDK computed."""
    hashes = [hashlib.sha256(fragment).hexdigest() for fragment in reed_solomon.encode(b"\x07")]
    assert len(hashes) == 12
    assert hashes[0] == "a184e236d2cf202eb67946d909c73c285db42d1471bd7a7806287de07b06a81e"
    assert hashes[1:4] == [ZERO_FRAGMENT] * 3
    assert hashes[4] == "0e8f3b3b66b3c3f62be6dd5431e8d278460663b992cf86094689328df80102fd"


@given(data=shard_sets, held=four_indexes)
def test_any_four_of_twelve_restore(data: list[bytes], held: list[int]) -> None:
    """Whichever four shards are left, the data comes back."""
    shards = data + reed_solomon.encode_shards(data)
    assert data == reed_solomon.restore_shards({index: shards[index] for index in held})


@given(data=shard_sets, extra=st.integers(min_value=0, max_value=11))
def test_more_than_four_restore_too(data: list[bytes], extra: int) -> None:
    """Shards beyond the needed four do no harm."""
    shards = data + reed_solomon.encode_shards(data)
    held = {8, 9, 10, 11, extra}
    assert data == reed_solomon.restore_shards({index: shards[index] for index in held})


def test_a_segment_comes_back_padded_from_parity_alone() -> None:
    """A real segment restores from parity fragments; its padding is zero bytes."""
    segment = bytes(range(1, 256)) * 40_000
    fragments = reed_solomon.encode(memoryview(segment))
    restored = reed_solomon.reconstruct({index: fragments[index] for index in (4, 6, 9, 11)})
    assert segment.ljust(SEGMENT_SIZE, b"\0") == restored


def test_data_fragments_are_the_segment() -> None:
    """With the four data fragments at hand, nothing is computed."""
    fragments = [bytes([index]) * FRAGMENT_SIZE for index in range(4)]
    assert b"".join(fragments) == reed_solomon.reconstruct(dict(enumerate(fragments)))


def test_too_few_fragments_are_refused() -> None:
    """Three fragments are a typed error, not wrong bytes."""
    with pytest.raises(FragmentsMissing):
        reed_solomon.restore_shards({0: b"a", 5: b"b", 11: b"c"})


@pytest.mark.parametrize(
    ("shards", "text"),
    [
        ({0: b"a", 1: b"b", 2: b"c", 12: b"d"}, "index"),
        ({-1: b"a", 1: b"b", 2: b"c", 3: b"d"}, "index"),
        ({0: b"a", 1: b"b", 2: b"c", 3: b"de"}, "length"),
    ],
)
def test_impossible_shards_are_refused(shards: dict[int, bytes], text: str) -> None:
    """Indexes outside the code and unequal lengths are told by name."""
    with pytest.raises(InputInvalid, match=text):
        reed_solomon.restore_shards(shards)


def test_segments_have_bounds() -> None:
    """Neither an empty nor an overlong segment is coded; a fragment has one length only."""
    with pytest.raises(InputEmpty):
        reed_solomon.encode(b"")
    with pytest.raises(InputTooLarge):
        reed_solomon.encode(bytes(SEGMENT_SIZE + 1))
    with pytest.raises(InputInvalid, match="8388608"):
        reed_solomon.reconstruct(dict.fromkeys(range(4), b"short"))


def _fill_with(content: bytes) -> Callable[[memoryview], int]:
    def fill(room: memoryview) -> int:
        room[: len(content)] = content
        return len(content)

    return fill


def test_buffer_serves_one_segment_after_another() -> None:
    """A long segment leaves nothing in the padding of the short one that follows it."""
    buffer = SegmentBuffer()
    for content in (os.urandom(SEGMENT_SIZE), b"\x07", os.urandom(FRAGMENT_SIZE + 3)):
        segment, fragments = buffer.take(_fill_with(content))
        expected = reed_solomon.encode(content)
        assert expected == [bytes(fragment.content) for fragment in fragments]
        assert expected == [
            bytes(each.content[: each.filled]).ljust(FRAGMENT_SIZE, b"\0") for each in fragments
        ]
        assert [hashlib.sha256(fragment).digest() for fragment in expected] == [
            fragment.digest for fragment in fragments
        ]
        assert hashlib.sha256(content.ljust(SEGMENT_SIZE, b"\0")).digest() == segment


def test_buffer_forgets_a_segment_that_failed() -> None:
    """What a broken read left behind is not taken for padding."""
    buffer = SegmentBuffer()

    def breaks(room: memoryview) -> int:
        room[:] = b"\xff" * SEGMENT_SIZE
        raise OSError

    with pytest.raises(OSError, match=r"^$"):
        buffer.take(breaks)
    with pytest.raises(InputEmpty):
        buffer.take(lambda _: 0)
    _, fragments = buffer.take(_fill_with(b"\x07"))
    assert hashlib.sha256(b"\x07".ljust(FRAGMENT_SIZE, b"\0")).digest() == fragments[0].digest


@pytest.mark.parametrize(
    "sizes", [(0, 8 * FRAGMENT_SIZE), (SEGMENT_SIZE + 1, 8 * FRAGMENT_SIZE), (5, 7 * FRAGMENT_SIZE)]
)
def test_native_dispersal_refuses_other_sizes(sizes: tuple[int, int]) -> None:
    """The buffers must fit the rows."""
    with pytest.raises(ValueError, match="MiB"):
        caregrid_native.disperse([bytes(4)] * 8, bytearray(sizes[0]), bytearray(sizes[1]))


def test_native_dispersal_refuses_one_buffer_for_both() -> None:
    """What is read must not be what is written."""
    room = memoryview(bytearray(9 * FRAGMENT_SIZE))
    with pytest.raises(ValueError, match="apart"):
        caregrid_native.disperse([bytes(4)] * 8, room[: FRAGMENT_SIZE + 1], room[FRAGMENT_SIZE:])
    with pytest.raises(ValueError, match="writable"):
        caregrid_native.disperse([bytes(4)], b"x", bytes(FRAGMENT_SIZE))
