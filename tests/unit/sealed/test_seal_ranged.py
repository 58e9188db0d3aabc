"""Reading a part of a sealed record."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import InputInvalid, SealBroken
from caregrid.sealed import Sealer, new_data_key, new_record_id, open_range, seal, sealed_range
from caregrid.sealed.layout import HEADER_LEN, Layout
from caregrid.sealed.ranged import RangeOpener

SMALL: Final = Layout(segment_size=64)
KEY: Final = bytes(range(32))
RECORD: Final = bytes(range(16))
PLAIN: Final = bytes(range(200))
SEALER: Final = Sealer(KEY, RECORD, _layout=SMALL)
SEALED: Final = SEALER.update(PLAIN) + SEALER.finish()


def read(sealed: bytes, offset: int, length: int) -> bytes:
    """Fetch and open one range of a record with small segments, reading only what is asked for."""
    wanted = sealed_range(len(sealed), offset, length, _layout=SMALL)
    fetched = sealed[wanted.start : wanted.start + wanted.length]
    return open_range(KEY, RECORD, wanted, header=sealed[:HEADER_LEN], sealed=fetched, _layout=SMALL)


@given(data=st.data())
def test_any_range_reads_as_the_plaintext(data: st.DataObject) -> None:
    """Every range gives exactly the bytes the whole record has there."""
    offset = data.draw(st.integers(0, len(PLAIN) - 1))
    length = data.draw(st.integers(1, len(PLAIN) - offset))
    assert PLAIN[offset : offset + length] == read(SEALED, offset, length)


def test_a_small_range_reads_one_segment_only() -> None:
    """Ten bytes out of 3 MiB cost one segment, not the record."""
    key, record_id, plain = new_data_key(), new_record_id(), bytes(3 << 20)
    sealed = seal(key, record_id, plain)
    wanted = sealed_range(len(sealed), 2 << 20, 10)
    assert (wanted.start, wanted.length) == (2 << 20, 1 << 20)
    fetched = sealed[wanted.start : wanted.start + wanted.length]
    assert plain[:10] == open_range(key, record_id, wanted, header=sealed[:HEADER_LEN], sealed=fetched)


@given(position=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_outside(position: int, bit: int) -> None:
    """Damage in header or in a segment of the range is refused; elsewhere it changes nothing."""
    forged = bytearray(SEALED)
    forged[position] ^= 1 << bit
    wanted = sealed_range(len(SEALED), 60, 30, _layout=SMALL)
    if position < HEADER_LEN or wanted.start <= position < wanted.start + wanted.length:
        with pytest.raises(SealBroken):
            read(bytes(forged), 60, 30)
    else:
        assert PLAIN[60:90] == read(bytes(forged), 60, 30)


def test_bytes_of_another_place_are_refused() -> None:
    """A segment served for another one does not open, nor do too few bytes or too many."""
    wanted = sealed_range(len(SEALED), 60, 10, _layout=SMALL)
    for served in (SEALED[64:128], SEALED[128:191], SEALED[128:193]):
        with pytest.raises(SealBroken):
            open_range(KEY, RECORD, wanted, header=SEALED[:HEADER_LEN], sealed=served, _layout=SMALL)


def test_more_than_the_range_is_refused_as_it_comes() -> None:
    """Bytes too many are refused at once, not gathered until the end; nothing more comes out then."""
    wanted = sealed_range(len(SEALED), 60, 10, _layout=SMALL)
    opener = RangeOpener(KEY, RECORD, wanted, SEALED[:HEADER_LEN], _layout=SMALL)
    for more in (SEALED[wanted.start :], b""):
        with pytest.raises(SealBroken):
            opener.update(more)
    with pytest.raises(SealBroken):
        opener.finish()


@pytest.mark.parametrize(("offset", "length"), [(-1, 5), (0, 0), (199, 2), (200, 1), (0, -1)])
def test_ranges_outside_the_record_are_refused(offset: int, length: int) -> None:
    """A range must be non-empty and lie within the plaintext."""
    with pytest.raises(InputInvalid):
        sealed_range(len(SEALED), offset, length, _layout=SMALL)
