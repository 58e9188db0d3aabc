"""Opens a part of a sealed record without reading the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.errors import InputInvalid, SealBroken, SealTruncated
from caregrid.sealed.cipher import Header, SegmentCipher
from caregrid.sealed.layout import FORMAT_V1, HEADER_LEN, Layout
from caregrid.sealed.stream import Cutter

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


def empty_record(sealed_length: int) -> SealedRange:
    """Return the range of a record without content, of which there is still a seal to check."""
    return SealedRange(start=0, length=sealed_length, first_segment=0, last_segment=0, skip=0, take=0)


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
    opener = RangeOpener(data_key, record_id, wanted, header, _layout=_layout)
    return opener.update(sealed) + opener.finish()


class RangeOpener:
    """Opens a range as its sealed bytes arrive; holds at most one segment back.

    Everything returned is authentic and at its place. After `SealBroken` the opener stays broken. Without
    `header`, the range must begin at the record's start, where the header is.
    """

    def __init__(
        self,
        data_key: bytes,
        record_id: bytes,
        wanted: SealedRange,
        header: Buffer | None = None,
        *,
        _layout: Layout = FORMAT_V1,
    ) -> None:
        self._key_and_id = (data_key, record_id)
        self._cipher = None if header is None else SegmentCipher(data_key, record_id, Header.parse(header))
        self._cutter = Cutter(first=_layout.segment_size, other=_layout.segment_size)
        self._index, self._last = wanted.first_segment, wanted.last_segment
        self._due, self._skip, self._take = wanted.length, wanted.skip, wanted.take
        self._broken = False

    def update(self, chunk: Buffer) -> bytes:
        """Take more of the sealed bytes; return the plaintext that is ready, perhaps none.

        Raises:
            SealBroken: they are altered, too many, or not those of this range.
        """
        self._due -= memoryview(chunk).nbytes
        if self._due < 0 or self._broken:
            self._broken = True
            raise SealBroken
        return b"".join([self._open(piece) for piece in self._cutter.feed(chunk)])

    def finish(self) -> bytes:
        """Return the rest of the plaintext.

        Raises:
            SealBroken: as `update`; as SealTruncated, when bytes are missing.
        """
        if self._broken:
            raise SealBroken
        if self._due:
            raise SealTruncated
        return self._open(self._cutter.rest())

    def _open(self, segment: Buffer) -> bytes:
        try:
            plain = self._decrypt(memoryview(segment))
        except SealBroken:
            self._broken = True
            raise
        wanted = plain[self._skip : self._skip + self._take]
        self._index, self._skip, self._take = self._index + 1, 0, self._take - len(wanted)
        return wanted

    def _decrypt(self, segment: memoryview) -> bytes:
        if self._cipher is None:
            self._cipher = SegmentCipher(*self._key_and_id, Header.parse(segment))
        body = segment[HEADER_LEN:] if self._index == 0 else segment
        return self._cipher.open(self._index, body, last=self._index == self._last)
