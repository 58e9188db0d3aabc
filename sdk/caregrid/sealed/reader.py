"""Reads any part of a sealed record that lies elsewhere, fetching no more than the segments it takes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeAlias

from caregrid.errors import SealBroken, SealTruncated
from caregrid.sealed.cipher import require_key_and_id
from caregrid.sealed.layout import HEADER_LEN, SEGMENT_SIZE, plain_length
from caregrid.sealed.ranged import RangeOpener, SealedRange, empty_record, sealed_range

if TYPE_CHECKING:
    from cryptography.utils import Buffer

#: Given offset and length, yields exactly those sealed bytes of one record, in chunks of any size.
RangeSource: TypeAlias = "Callable[[int, int], AsyncIterable[Buffer]]"


class SealedReader:
    """Random access to one sealed record. What it gives is authentic, and at the place it was asked for.

    A range costs one request, and one more for the header before the first that does not begin at the
    record's start. `sealed_length` must come from where it can be trusted, as from the chain: it is what
    tells a record from one that was cut.

    Raises:
        InputInvalid: the data key is not 32 bytes or the record id not 16.
        SealBroken: no record has this sealed length.
    """

    def __init__(self, data_key: bytes, record_id: bytes, source: RangeSource, sealed_length: int) -> None:
        require_key_and_id(data_key, record_id)
        self._key_and_id = (data_key, record_id)
        self._source, self._sealed_length = source, sealed_length
        #: Bytes of plaintext.
        self.length = plain_length(sealed_length)
        self._header = b""

    async def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`.

        Raises:
            InputInvalid: the range is empty or reaches past the plaintext's end.
            SealBroken: header or segments are cut, altered, from elsewhere, or under another key.
        """
        async with aclosing(self.stream(offset, length)) as content:
            return b"".join([chunk async for chunk in content])

    def stream(self, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes]:
        """Yield `length` bytes from `offset`, or all from there on, in constant memory; errors as `read`."""
        if offset == 0 and length is None and self.length == 0:
            return self._opened(empty_record(self._sealed_length))
        rest = self.length - offset if length is None else length
        return self._opened(sealed_range(self._sealed_length, offset, rest))

    async def _opened(self, wanted: SealedRange) -> AsyncGenerator[bytes]:
        header = None if wanted.start == 0 else self._header or await self._read_header()
        opener = RangeOpener(*self._key_and_id, wanted, header)
        async with aclosing(self._fetched(wanted.start, wanted.length)) as sealed:
            async for chunk in sealed:
                if ready := opener.update(chunk):
                    yield ready
        rest = opener.finish()
        self._header = header or self._header  # it has proved authentic, so it need not be fetched again
        if rest:
            yield rest

    async def _read_header(self) -> bytes:
        header = b""
        async with aclosing(self._fetched(0, HEADER_LEN)) as chunks:
            async for chunk in chunks:
                header += bytes(chunk)
        if len(header) < HEADER_LEN:
            raise SealTruncated
        return header

    async def _fetched(self, start: int, length: int) -> AsyncGenerator[memoryview]:
        """Yield what the source gives, a segment at most at a time; no more than was asked for."""
        chunks, due = self._source(start, length), length
        try:
            async for chunk in chunks:
                view = memoryview(chunk).cast("B")
                due -= len(view)
                if due < 0:
                    raise SealBroken
                for at in range(0, len(view), SEGMENT_SIZE):
                    yield view[at : at + SEGMENT_SIZE]
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
