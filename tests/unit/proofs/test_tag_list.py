"""What an owner commits to."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caregrid.errors import InputInvalid
from caregrid.proofs.tag_list import MAX_LIST_LEN, TaggedFragment, TagList, commitment_of_path


@st.composite
def lists(draw: st.DrawFn) -> TagList:
    """Lists of one to five segments, no two entries alike."""
    count, seed = 12 * draw(st.integers(min_value=1, max_value=5)), draw(st.binary(max_size=8))
    hashes = [sha256(seed + b"%d" % number).digest() for number in range(2 * count + 2)]
    entries = [
        TaggedFragment(digest=digest, tags=tags)
        for digest, tags in zip(hashes[2::2], hashes[3::2], strict=True)
    ]
    return TagList(object_id=hashes[0], key_digest=hashes[1], fragments=tuple(entries))


@given(lists())
@settings(max_examples=20)
def test_encoding_and_back(made: TagList) -> None:
    """What is written is read again, and is within bounds."""
    assert made == TagList.decode(made.encode())
    assert len(made.encode()) <= MAX_LIST_LEN


@given(lists(), st.data())
@settings(max_examples=20)
def test_paths_lead_to_the_commitment(made: TagList, data: st.DataObject) -> None:
    """Every fragment's does, under its own number only, and no other entry's."""
    number = data.draw(st.integers(min_value=0, max_value=len(made.fragments) - 1))
    entry, path, count = made.fragments[number], made.path(number), len(made.fragments)

    def found(number: int, entry: TaggedFragment, count: int = count) -> bytes | None:
        return commitment_of_path(
            made.object_id, made.key_digest, count, number=number, entry=entry, path=path
        )

    assert made.commitment() == found(number, entry)
    assert made.commitment() != found(number, replace(entry, tags=bytes(32)))
    assert made.commitment() != found(number ^ 1, entry)
    assert made.commitment() != found(number, entry, count + 12)
    assert found(count, entry) is None
    assert found(-1, entry) is None


@given(st.binary(max_size=2_000) | st.binary(max_size=100).map(lambda more: b"\x05" + bytes(64) + more))
def test_anything_else_is_refused(encoded: bytes) -> None:
    """Bytes that are no list end in one kind of error."""
    with pytest.raises(InputInvalid):
        TagList.decode(encoded)


@given(lists(), st.data())
@settings(max_examples=20)
def test_cut_and_lengthened_lists_are_refused(made: TagList, data: st.DataObject) -> None:
    """A list has one length."""
    encoded = made.encode()
    cut = data.draw(st.integers(min_value=0, max_value=len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + b"\0", b"\x06" + encoded[1:]):
        with pytest.raises(InputInvalid):
            TagList.decode(wrong)


def test_what_no_object_has() -> None:
    """A number of fragments that no object has, and hashes that are none."""
    entry = TaggedFragment(digest=bytes(32), tags=bytes(32))
    for count in (0, 11, 13, 12_012):
        with pytest.raises(InputInvalid):
            TagList(object_id=bytes(32), key_digest=bytes(32), fragments=(entry,) * count)
    with pytest.raises(InputInvalid):
        TagList(object_id=bytes(31), key_digest=bytes(32), fragments=(entry,) * 12)
