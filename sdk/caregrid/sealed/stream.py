"""Seals and opens whole records, at once or piece by piece in constant memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.errors import SealBroken
from caregrid.sealed.cipher import Header, SegmentCipher, require_key_and_id
from caregrid.sealed.layout import FORMAT_V1, HEADER_LEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.utils import Buffer

    from caregrid.sealed.layout import Layout


class Sealer:
    """Seals one record as its plaintext arrives; holds at most one segment back.

    Use it once, from one thread: any number of `update`, then one `finish`; the results, joined, are the
    sealed record.

    Raises:
        InputInvalid: the data key is not 32 bytes or the record id not 16.
    """

    def __init__(self, data_key: bytes, record_id: bytes, *, _layout: Layout = FORMAT_V1) -> None:
        header = Header.random()
        self._cipher = SegmentCipher(data_key, record_id, header)
        self._cutter = Cutter(first=_layout.plain_size - HEADER_LEN, other=_layout.plain_size)
        self._unsent_header = header.to_bytes()
        self._index = 0
        self._finished = False

    def update(self, chunk: Buffer) -> bytes:
        """Take more plaintext; return the sealed bytes that are ready, perhaps none."""
        self._require_open()
        ready = [self._seal(piece, last=False) for piece in self._cutter.feed(chunk)]
        if self._unsent_header:
            ready.insert(0, self._take_header())
        return b"".join(ready)  # a single segment passes uncopied

    def finish(self) -> bytes:
        """Return the rest of the sealed record, its last segment included."""
        self._require_open()
        self._finished = True
        return self._take_header() + self._seal(self._cutter.rest(), last=True)

    def _seal(self, plain: Buffer, *, last: bool) -> bytes:
        sealed = self._cipher.seal(self._index, plain, last=last)
        self._index += 1
        return sealed

    def _take_header(self) -> bytes:
        header, self._unsent_header = self._unsent_header, b""
        return header

    def _require_open(self) -> None:
        if self._finished:
            raise RuntimeError("this record is finished; make a new Sealer for the next one")


class Opener:
    """Opens one record as its sealed bytes arrive; holds at most one segment back.

    Everything returned is authentic and in order, but only `finish` tells that it is the *whole* record: act
    on nothing before. After `SealBroken` the opener stays broken.

    Raises:
        InputInvalid: the data key is not 32 bytes or the record id not 16.
    """

    def __init__(self, data_key: bytes, record_id: bytes, *, _layout: Layout = FORMAT_V1) -> None:
        require_key_and_id(data_key, record_id)
        self._key_and_id = (data_key, record_id)
        self._cipher: SegmentCipher | None = None
        self._cutter = Cutter(first=_layout.segment_size, other=_layout.segment_size)
        self._index = 0
        self._closed_by: type[Exception] | None = None

    def update(self, chunk: Buffer) -> bytes:
        """Take more sealed bytes; return the plaintext that is ready, perhaps none.

        Raises:
            SealBroken: the record is altered, reordered, of another id, or sealed with another key.
        """
        self._require_open()
        return b"".join([self._open(piece, last=False) for piece in self._cutter.feed(chunk)])

    def finish(self) -> bytes:
        """Return the rest of the plaintext, now that the record is known to be whole.

        Raises:
            SealBroken: as `update`, or the record is cut short or has bytes appended.
        """
        self._require_open()
        plain = self._open(self._cutter.rest(), last=True)
        self._closed_by = RuntimeError
        return plain

    def _open(self, segment: Buffer, *, last: bool) -> bytes:
        try:
            plain = self._decrypt(memoryview(segment), last=last)
        except SealBroken:
            self._closed_by = SealBroken
            raise
        self._index += 1
        return plain

    def _decrypt(self, segment: memoryview, *, last: bool) -> bytes:
        if self._cipher is None:
            self._cipher = SegmentCipher(*self._key_and_id, Header.parse(segment))
            segment = segment[HEADER_LEN:]
        return self._cipher.open(self._index, segment, last=last)

    def _require_open(self) -> None:
        if self._closed_by is SealBroken:
            raise SealBroken
        if self._closed_by is not None:
            raise RuntimeError("this record is finished; make a new Opener for the next one")


def seal(data_key: bytes, record_id: bytes, plaintext: Buffer) -> bytes:
    """Return a record sealed: `sealed_length(len(plaintext))` bytes, different each time.

    Raises:
        InputInvalid: the data key is not 32 bytes or the record id not 16.
    """
    sealer = Sealer(data_key, record_id)
    return sealer.update(plaintext) + sealer.finish()


def open_sealed(data_key: bytes, record_id: bytes, sealed: Buffer) -> bytes:
    """Return the plaintext of a whole sealed record.

    Raises:
        SealBroken: the record is cut, altered, reordered, extended, of another id or sealed with another key.
        InputInvalid: the data key is not 32 bytes or the record id not 16.
    """
    opener = Opener(data_key, record_id)
    return opener.update(sealed) + opener.finish()


class Cutter:
    """Cuts a stream into pieces of fixed size, holding back what may turn out to be the last one."""

    def __init__(self, *, first: int, other: int) -> None:
        self._size, self._other = first, other
        self._held = bytearray()

    def feed(self, chunk: Buffer) -> Iterator[Buffer]:
        """Yield the pieces that are full and not last; each is valid until the next is asked for."""
        with memoryview(chunk).cast("B") as view:
            start = 0
            while len(self._held) + len(view) - start > self._size:
                stop = start + self._size - len(self._held)
                yield self._piece(view[start:stop])
                self._held.clear()
                start, self._size = stop, self._other
            self._held += view[start:]

    def rest(self) -> bytes:
        """Return what is held back: the last piece, perhaps empty."""
        return bytes(self._held)

    def _piece(self, tail: memoryview) -> Buffer:
        if not self._held:
            return tail
        self._held += tail
        return self._held
