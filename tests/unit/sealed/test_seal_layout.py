"""Lengths and positions inside a sealed record."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import InputInvalid, InputTooLarge, SealBroken
from caregrid.sealed import SEGMENT_SIZE, plain_length, sealed_length
from caregrid.sealed.layout import FORMAT_V1, Layout

MIB: Final = 1_048_576
SMALL: Final = Layout(segment_size=64)


@pytest.mark.parametrize(
    ("plain", "sealed"),
    [
        (0, 56),
        (1, 57),
        (MIB - 56, MIB),
        (MIB - 55, MIB + 17),
        (2 * MIB - 72, 2 * MIB),
        (2 * MIB - 71, 2 * MIB + 17),
        (1 << 30, (1 << 30) + 40 + 1025 * 16),
    ],
)
def test_sealed_lengths_of_format_v1(plain: int, sealed: int) -> None:
    """The literal lengths that packing and the chain rely on."""
    assert MIB == SEGMENT_SIZE
    assert sealed == sealed_length(plain)
    assert plain == plain_length(sealed)


def test_lengths_no_record_has() -> None:
    """Exactly the lengths that some plaintext seals to are accepted."""
    possible = {SMALL.sealed_length(plain) for plain in range(400)}
    for length in range(min(400, max(possible))):
        if length not in possible:
            with pytest.raises(SealBroken):
                SMALL.plain_length(length)


def test_lengths_past_the_counter_are_refused() -> None:
    """The longest plaintext fills the last segment that can be numbered; one byte more is too large."""
    longest = FORMAT_V1.max_plain_length
    assert longest == plain_length(sealed_length(longest))
    with pytest.raises(InputTooLarge):
        sealed_length(longest + 1)
    with pytest.raises(SealBroken):
        plain_length(sealed_length(longest) + 17)
    with pytest.raises(InputInvalid):
        sealed_length(-1)


@given(offset=st.integers(0, 10_000))
def test_each_plaintext_byte_lies_in_one_segment(offset: int) -> None:
    """Segments cover the plaintext without gap or overlap."""
    segment = SMALL.segment_of(offset)
    assert SMALL.plain_start(segment) <= offset < SMALL.plain_start(segment + 1)
