"""Sealing and opening record by record; small segments keep every position reachable."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import InputInvalid, InputTooLarge, SealBroken
from caregrid.sealed import Opener, Sealer, new_data_key, new_record_id, open_sealed, seal
from caregrid.sealed.layout import HEADER_LEN, MAX_SEGMENTS, TAG_LEN, Layout

SMALL: Final = Layout(segment_size=64)  #: 8 plaintext bytes in the first segment, 48 in the others
KEY: Final = bytes(range(32))
RECORD: Final = bytes(range(16))
EDGES: Final = [0, 1, 7, 8, 9, 55, 56, 57, 104, 150]

plaintexts = st.binary(max_size=200)


def seal_small(plain: bytes, *, data_key: bytes = KEY, record_id: bytes = RECORD) -> bytes:
    """Seal in segments of 64 bytes."""
    sealer = Sealer(data_key, record_id, _layout=SMALL)
    return sealer.update(plain) + sealer.finish()


def open_small(sealed: bytes, *, data_key: bytes = KEY, record_id: bytes = RECORD) -> bytes:
    """Open segments of 64 bytes."""
    opener = Opener(data_key, record_id, _layout=SMALL)
    return opener.update(sealed) + opener.finish()


def segments_of(sealed: bytes) -> list[bytes]:
    """Split into segments; the header stays with the first."""
    return [sealed[at : at + SMALL.segment_size] for at in range(0, len(sealed), SMALL.segment_size)]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Split at the given positions."""
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:stop] for start, stop in pairwise(edges)]


@given(plain=plaintexts)
def test_what_is_sealed_opens(plain: bytes) -> None:
    """Every plaintext comes back, at the length the layout predicts."""
    sealed = seal_small(plain)
    assert SMALL.sealed_length(len(plain)) == len(sealed)
    assert plain == open_small(sealed)


@given(plain=plaintexts, cuts=st.lists(st.integers(0, 400)))
def test_chunking_does_not_matter(plain: bytes, cuts: list[int]) -> None:
    """However the stream is cut, on either side, the same plaintext comes out."""
    sealer, opener = Sealer(KEY, RECORD, _layout=SMALL), Opener(KEY, RECORD, _layout=SMALL)
    sealed = b"".join([sealer.update(piece) for piece in pieces(plain, cuts)]) + sealer.finish()
    assert plain == b"".join([opener.update(piece) for piece in pieces(sealed, cuts)]) + opener.finish()


@pytest.mark.parametrize("length", EDGES)
def test_every_flipped_byte_is_refused(length: int) -> None:
    """No byte of a sealed record, header included, can change unnoticed."""
    sealed = seal_small(bytes(length))
    for position in range(len(sealed)):
        forged = bytearray(sealed)
        forged[position] ^= 0x01
        with pytest.raises(SealBroken):
            open_small(bytes(forged))


@pytest.mark.parametrize("length", EDGES)
def test_every_truncation_is_refused(length: int) -> None:
    """A record cut at any byte, a segment's edge or not, does not open."""
    sealed = seal_small(bytes(length))
    for stop in range(len(sealed)):
        with pytest.raises(SealBroken):
            open_small(sealed[:stop])


@given(plain=plaintexts, tail=st.binary(min_size=1, max_size=150))
def test_appended_bytes_are_refused(plain: bytes, tail: bytes) -> None:
    """Nothing can follow the last segment."""
    with pytest.raises(SealBroken):
        open_small(seal_small(plain) + tail)


@given(data=st.data())
def test_rearranged_segments_are_refused(data: st.DataObject) -> None:
    """Segments swapped, repeated, dropped or mixed in any way do not open, unless all stand as they were."""
    original = segments_of(seal_small(bytes(150)))
    order = data.draw(st.lists(st.sampled_from(original), max_size=6).filter(lambda some: some != original))
    with pytest.raises(SealBroken):
        open_small(b"".join(order))


def test_a_segment_of_another_record_is_refused() -> None:
    """Segments cannot move between records, not even under the same key and id."""
    one, other = segments_of(seal_small(bytes(150))), segments_of(seal_small(bytes(150)))
    with pytest.raises(SealBroken):
        open_small(b"".join([one[0], other[1], *one[2:]]))


def test_wrong_key_and_wrong_record_look_like_tampering() -> None:
    """A wrong data key or record id is indistinguishable from a broken seal."""
    sealed = seal_small(b"blood group 0")
    with pytest.raises(SealBroken):
        open_small(sealed, data_key=new_data_key())
    with pytest.raises(SealBroken):
        open_small(sealed, record_id=new_record_id())


@pytest.mark.parametrize("full", [8, 56])
def test_an_empty_last_segment_is_refused(full: int) -> None:
    """A plaintext has one sealed length only: no empty segment may follow a full one."""
    sealer = Sealer(KEY, RECORD, _layout=SMALL)
    sealed = sealer.update(bytes(full + 1))[: SMALL.sealed_length(full)]
    empty = sealer._cipher.seal(sealer._index, b"", last=True)
    with pytest.raises(SealBroken):
        open_small(sealed + empty)


def test_a_segment_comes_out_once_the_next_has_begun() -> None:
    """What is authentic is returned at once; only what may be the last segment waits."""
    plain = bytes(range(150))
    first, second, *_ = segments_of(seal_small(plain))
    opener = Opener(KEY, RECORD, _layout=SMALL)
    assert opener.update(first) == b""
    assert plain[:8] == opener.update(second[:1])


def test_a_broken_opener_stays_broken() -> None:
    """After damage nothing more comes out, not even from segments that are sound in themselves."""
    first, second, *rest = segments_of(seal_small(bytes(150)))
    forged = second[:-1] + bytes([second[-1] ^ 1])
    opener = Opener(KEY, RECORD, _layout=SMALL)
    with pytest.raises(SealBroken):
        opener.update(b"".join([first, forged, *rest]))
    with pytest.raises(SealBroken):
        opener.update(b"".join([second, *rest]))
    with pytest.raises(SealBroken):
        opener.finish()


def test_update_holds_back_at_most_one_segment() -> None:
    """Memory stays bounded: all but the last segment's worth has left the sealer and the opener."""
    sealer, opener = Sealer(KEY, RECORD, _layout=SMALL), Opener(KEY, RECORD, _layout=SMALL)
    fed = passed = opened = 0
    for _ in range(100):
        sealed = sealer.update(bytes(13))
        fed, passed, opened = fed + 13, passed + len(sealed), opened + len(opener.update(sealed))
        assert SMALL.sealed_length(fed) - passed <= SMALL.segment_size
        assert fed - opened <= 2 * SMALL.plain_size


def test_two_seals_share_nothing() -> None:
    """Salt and nonce prefix are drawn anew each time, so equal records do not look equal."""
    headers = {seal_small(b"same")[:HEADER_LEN] for _ in range(50)}
    assert len(headers) == 50


@pytest.mark.parametrize(("data_key", "record_id"), [(bytes(31), RECORD), (b"", RECORD), (KEY, bytes(17))])
def test_keys_and_ids_of_wrong_length_are_refused(data_key: bytes, record_id: bytes) -> None:
    """A key or id that cannot be one is an input error, told before any byte is taken."""
    with pytest.raises(InputInvalid, match="use new_"):
        seal(data_key, record_id, b"")
    with pytest.raises(InputInvalid, match="use new_"):
        Opener(data_key, record_id)


def test_finished_streams_take_no_more() -> None:
    """A sealer never reuses a nonce after its last segment, nor does an opener start over."""
    sealer = Sealer(KEY, RECORD)
    opener = Opener(KEY, RECORD)
    opener.update(sealer.finish())
    opener.finish()
    for stream in (sealer, opener):
        with pytest.raises(RuntimeError, match="finished"):
            stream.update(b"more")
        with pytest.raises(RuntimeError, match="finished"):
            stream.finish()


def test_the_segment_counter_never_wraps() -> None:
    """Past the last number the counter can hold, sealing stops instead of repeating a nonce."""
    sealer = Sealer(KEY, RECORD, _layout=SMALL)
    sealer._index = MAX_SEGMENTS
    with pytest.raises(InputTooLarge):
        sealer.update(bytes(100))


def test_any_buffer_will_do() -> None:
    """Bytearrays and memory views of wider items are sealed as the bytes they hold."""
    wide = memoryview(bytearray(b"\1\2\3\4\5\6\7\0")).cast("I")
    assert bytes(wide) == open_sealed(KEY, RECORD, bytearray(seal(KEY, RECORD, wide)))
    assert len(seal(KEY, RECORD, wide)) == HEADER_LEN + 8 + TAG_LEN
