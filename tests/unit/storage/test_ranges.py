"""Byte ranges, in the standard's form and in DeOSS's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import InputInvalid
from storage_network import ranges


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-5", 2, 6),
        ("bytes=2-", 2, 10),
        ("bytes=2-99", 2, 10),
        ("bytes=-3", 7, 10),
        ("bytes=-99", 0, 10),
    ],
)
def test_standard_ranges(text: str, start: int, end: int) -> None:
    """Ranges of RFC 9110 are cut at the end of the content."""
    assert ranges.ByteRange(start=start, end=end) == ranges.parse_standard(text, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bytes=0-1,3-4", "invalid range value"),
        ("items=0-1", "invalid range value"),
        ("bytes=a-b", "invalid range value"),
        ("bytes=-", "invalid range value"),
        ("bytes=-0", "invalid range value"),
        ("bytes=5-4", "invalid range end"),
        ("bytes=10-", "invalid range start"),
        (f"bytes=0-{'9' * 5000}", "invalid range value"),
    ],
)
def test_standard_ranges_that_give_nothing(text: str, message: str) -> None:
    """What asks for nothing, for several parts, or for nonsense is refused by name."""
    with pytest.raises(InputInvalid, match=message):
        ranges.parse_standard(text, 10)


@pytest.mark.parametrize(("text", "start", "end"), [("bytes=0-9", 0, 10), ("bytes=3-", 3, 10)])
def test_deoss_ranges(text: str, start: int, end: int) -> None:
    """DeOSS's two forms are understood."""
    assert ranges.ByteRange(start=start, end=end) == ranges.parse_deoss(text, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bytes=2-10", "invalid range end"),
        ("bytes=4-2", "invalid range end"),
        ("bytes=-3", "invalid range start"),
        ("bytes=10-", "invalid range start"),
        ("2-3", "invalid range value"),
    ],
)
def test_deoss_ranges_that_are_refused(text: str, message: str) -> None:
    """DeOSS refuses an end past the content and a suffix, with its own texts."""
    with pytest.raises(InputInvalid, match=message):
        ranges.parse_deoss(text, 10)


@given(start=st.integers(0, 999), length=st.integers(1, 999))
def test_both_forms_agree_inside_the_content(start: int, length: int) -> None:
    """Within the content the two parsers never differ, and the part has the length asked for."""
    text = f"bytes={start}-{start + length - 1}"
    part = ranges.parse_standard(text, 2000)
    assert part == ranges.parse_deoss(text, 2000)
    assert length == part.length
    assert f"bytes {start}-{start + length - 1}/2000" == part.content_range(2000)
