"""Reed-Solomon coding of CESS segments: 4 data and 8 parity fragments, any 4 of which restore the segment.

Arithmetic is in GF(2^8) with the polynomial x^8+x^4+x^3+x^2+1. The coding matrix is the Vandermonde matrix
V[r][c] = r^c (12 rows, 4 columns) times the inverse of its top square, so that the first four fragments are
the data itself (Plank and Ding, "Note: Correction to the 1997 Tutorial on Reed-Solomon Coding", 2003). These
are the parity bytes that CESS computes.

The sums are computed by `caregrid_native`, which lets other threads run meanwhile; a segment takes about a
tenth of a second of one core, nearly all of it for the hashes, so callers run it in a thread.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import caregrid_native

from caregrid.errors import FragmentsMissing, InputEmpty, InputInvalid, InputTooLarge
from caregrid.storage.file_id import DATA_SHARDS, FRAGMENT_SIZE, PARITY_SHARDS, SEGMENT_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TOTAL_SHARDS: Final = DATA_SHARDS + PARITY_SHARDS

_PARITY_SIZE: Final = PARITY_SHARDS * FRAGMENT_SIZE
_ZEROS: Final = memoryview(bytes(1024 * 1024))
_POLYNOMIAL: Final = 0x11D
_FIELD_ORDER: Final = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class Fragment:
    """One of a segment's twelve."""

    digest: bytes  #: SHA-256
    content: memoryview  #: 8 MiB
    filled: int  #: bytes of it before those that are zero because the segment is padded


class SegmentBuffer:
    """Room for one segment and its parity, 96 MiB, which one segment after another uses.

    Fresh memory for each costs as much as the arithmetic. One thread at a time may use a buffer.
    """

    def __init__(self) -> None:
        self._content, self._parity = memoryview(bytearray(SEGMENT_SIZE)), memoryview(bytearray(_PARITY_SIZE))
        self._used = 0

    def take(self, fill: Callable[[memoryview], int]) -> tuple[bytes, list[Fragment]]:
        """Have 32 MiB filled from their start, and return the segment's hash and fragments.

        The rest becomes padding. The fragments are views, good until the buffer takes the next segment.

        Args:
            fill: writes a segment and returns its length in bytes.

        Raises:
            InputEmpty: the segment is empty.
        """
        self._used = SEGMENT_SIZE  # should `fill` fail, nobody knows what it left
        length = fill(self._content)
        if length == 0:
            raise InputEmpty
        self._pad(length)
        rows = [bytes(row) for row in _coding_matrix()[DATA_SHARDS:]]
        segment, digests = caregrid_native.disperse(rows, self._content[:length], self._parity)
        contents = [*_fragments(self._content), *_fragments(self._parity)]
        return segment, [
            Fragment(digest=digest, content=content, filled=filled)
            for digest, content, filled in zip(digests, contents, _filled(length), strict=True)
        ]

    def _pad(self, length: int) -> None:
        for start in range(length, self._used, len(_ZEROS)):
            end = min(start + len(_ZEROS), self._used)
            self._content[start:end] = _ZEROS[: end - start]
        self._used = length


def encode(segment: bytes | memoryview) -> list[bytes]:
    """Return the 12 fragments of a segment, 8 MiB each; a short segment is padded with zero bytes.

    Raises:
        InputEmpty: the segment is empty.
        InputTooLarge: it is longer than 32 MiB.
    """
    if len(segment) == 0:
        raise InputEmpty
    if len(segment) > SEGMENT_SIZE:
        raise InputTooLarge(limit=SEGMENT_SIZE)
    data = [
        bytes(segment[start : start + FRAGMENT_SIZE]).ljust(FRAGMENT_SIZE, b"\0")
        for start in range(0, SEGMENT_SIZE, FRAGMENT_SIZE)
    ]
    return data + encode_shards(data)


def reconstruct(fragments: Mapping[int, bytes]) -> bytes:
    """Return a 32 MiB segment, padding included, from any 4 of its fragments by index (0..11).

    Raises:
        FragmentsMissing: fewer than 4 fragments are given.
        InputInvalid: an index is outside 0..11 or a fragment is not 8 MiB long.
    """
    if any(len(fragment) != FRAGMENT_SIZE for fragment in fragments.values()):
        raise InputInvalid(f"a fragment must be {FRAGMENT_SIZE} bytes long")
    return b"".join(restore_shards(fragments))


def encode_shards(data: Sequence[bytes]) -> list[bytes]:
    """Return the 8 parity shards of 4 data shards of any one length."""
    if len(data) != DATA_SHARDS or len({len(shard) for shard in data}) != 1:
        raise InputInvalid(f"give {DATA_SHARDS} data shards of one length")
    return _combine(_coding_matrix()[DATA_SHARDS:], data)


def restore_shards(shards: Mapping[int, bytes]) -> list[bytes]:
    """Return the 4 data shards from any 4 shards of one length by index (0..11); errors as `reconstruct`."""
    _require_shards(shards)
    # Data shards sort first, so that as little as possible is computed.
    held = sorted(shards)[:DATA_SHARDS]
    lost = [index for index in range(DATA_SHARDS) if index not in shards]
    inverse = _invert([_coding_matrix()[index] for index in held])
    restored = _combine([inverse[index] for index in lost], [shards[index] for index in held])
    known = {**shards, **dict(zip(lost, restored, strict=True))}
    return [known[index] for index in range(DATA_SHARDS)]


def _filled(length: int) -> list[int]:
    data = [min(max(length - place * FRAGMENT_SIZE, 0), FRAGMENT_SIZE) for place in range(DATA_SHARDS)]
    return [*data, *[data[0]] * PARITY_SHARDS]


def _fragments(whole: memoryview) -> Iterator[memoryview]:
    return (whole[start : start + FRAGMENT_SIZE] for start in range(0, len(whole), FRAGMENT_SIZE))


def _require_shards(shards: Mapping[int, bytes]) -> None:
    if len(shards) < DATA_SHARDS:
        raise FragmentsMissing
    if not all(0 <= index < TOTAL_SHARDS for index in shards):
        raise InputInvalid(f"a fragment's index must be from 0 to {TOTAL_SHARDS - 1}")
    if len({len(shard) for shard in shards.values()}) != 1:
        raise InputInvalid("the fragments of a segment must be of one length")


def _combine(rows: Sequence[Sequence[int]], shards: Sequence[bytes]) -> list[bytes]:
    outputs = memoryview(caregrid_native.combine([bytes(row) for row in rows], shards))
    length = len(shards[0])
    return [bytes(outputs[place * length : (place + 1) * length]) for place in range(len(rows))]


def _multiply(left: int, right: int) -> int:
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left > _FIELD_ORDER:
            left ^= _POLYNOMIAL
        right >>= 1
    return product


def _power(base: int, exponent: int) -> int:
    return functools.reduce(_multiply, [base] * exponent, 1)


@functools.cache
def _coding_matrix() -> list[list[int]]:
    vandermonde = [[_power(row, column) for column in range(DATA_SHARDS)] for row in range(TOTAL_SHARDS)]
    top = _invert(vandermonde[:DATA_SHARDS])
    return [[_dot(row, column) for column in zip(*top, strict=True)] for row in vandermonde]


def _dot(left: Sequence[int], right: Sequence[int]) -> int:
    return functools.reduce(int.__xor__, map(_multiply, left, right))


def _invert(matrix: Sequence[Sequence[int]]) -> list[list[int]]:
    # Gauss-Jordan; any 4 rows of the coding matrix are independent, so a pivot is always there.
    size = len(matrix)
    rows = [[*row, *(int(column == index) for column in range(size))] for index, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(index for index in range(column, size) if rows[index][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = _power(rows[column][column], _FIELD_ORDER - 1)
        rows[column] = [_multiply(value, scale) for value in rows[column]]
        for index in range(size):
            if index != column:
                rows[index] = _subtract(rows[index], rows[column], rows[index][column])
    return [row[size:] for row in rows]


def _subtract(row: Sequence[int], other: Sequence[int], factor: int) -> list[int]:
    return [value ^ _multiply(subtrahend, factor) for value, subtrahend in zip(row, other, strict=True)]
