"""Opens a part of a sealed record without reading the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.errors import InputInvalid, SealBroken
from caregrid.sealed.cipher import Header, SegmentCipher
from caregrid.sealed.layout import FORMAT_V1, HEADER_LEN, Layout

if TYPE_CHECKING:
    from cryptography.utils import Buffer


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedRange:
    """The sealed bytes to read for a range of plaintext; make it with `sealed_range`."""

    start: int  #: offset of the first sealed byte to read, on a segment's edge
    length: int  #: sealed bytes to read: whole segments
    first_segment: int
    last_segment: int  #: the record's last segment, not the range's
    skip: int  #: plaintext bytes in the segments before the range
    take: int  #: plaintext bytes in the range


def sealed_range(sealed_length: int, offset: int, length: int, *, _layout: Layout = FORMAT_V1) -> SealedRange:
    """Say which sealed bytes hold plaintext bytes `offset` to `offset + length`.

    `sealed_length` is the whole record's, as anchored on chain.

    Raises:
        InputInvalid: the range is empty or reaches past the plaintext's end.
        SealBroken: no record has this sealed length.
    """
    plain_length = _layout.plain_length(sealed_length)
    if offset < 0 or length < 1 or offset + length > plain_length:
        raise InputInvalid(f"the range must lie within the record's {plain_length} bytes and not be empty")
    first, last = _layout.segment_of(offset), _layout.segment_of(offset + length - 1)
    start = first * _layout.segment_size
    return SealedRange(
        start=start,
        length=min((last + 1) * _layout.segment_size, sealed_length) - start,
        first_segment=first,
        last_segment=_layout.segment_of(plain_length - 1),
        skip=offset - _layout.plain_start(first),
        take=length,
    )


def open_range(
    data_key: bytes,
    record_id: bytes,
    wanted: SealedRange,
    *,
    header: Buffer,
    sealed: Buffer,
    _layout: Layout = FORMAT_V1,
) -> bytes:
    """Return a range of plaintext, authenticated; `header` is the record's first 40 bytes.

    `sealed` must be exactly the bytes that `wanted` names.

    Raises:
        SealBroken: header or segments are cut, altered, from elsewhere, or under another key.
    """
    cipher = SegmentCipher(data_key, record_id, Header.parse(header))
    view = memoryview(sealed).cast("B")
    if len(view) != wanted.length:
        raise SealBroken
    plain = bytearray()
    for begin in range(0, wanted.length, _layout.segment_size):
        index = wanted.first_segment + begin // _layout.segment_size
        body = view[begin + (HEADER_LEN if index == 0 else 0) : begin + _layout.segment_size]
        plain += cipher.open(index, body, last=index == wanted.last_segment)
    return bytes(plain[wanted.skip : wanted.skip + wanted.take])
