"""Unpacks content that its sender compressed for the way, within bounds: a bomb never goes off."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputInvalid, InputTooLarge, MediaTypeUnsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Clinical text shrinks to a tenth, repetitive Bundles to a fiftieth; beyond this somebody means harm.
MAX_RATIO: Final = 200

#: Below this the ratio says nothing: a page of blanks is small either way.
RATIO_FROM_BYTES: Final = 1024 * 1024

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_STEP: Final = 256 * 1024


class Gunzip:
    """Undoes gzip, piece by piece as it arrives; holds no more than a piece of what it grows to."""

    def __init__(self, limit: int) -> None:
        """Take how many bytes the content may grow to."""
        self._stream, self._limit = zlib.decompressobj(_GZIP_WINDOW), limit
        self._received = self._grown = 0

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Yield what more compressed content holds, a piece at a time.

        Raises:
            InputTooLarge: it grows beyond the limit, or to more than MAX_RATIO times what has arrived.
            InputInvalid: it is damaged, or something follows it.
        """
        self._received += len(packed)
        rest, full = packed, False
        while rest or full:  # a full piece may have left something inside the stream, with no input left
            if self._stream.eof:
                raise InputInvalid("something follows the compressed content")
            piece = self._decompress(rest)
            rest = self._stream.unconsumed_tail or self._stream.unused_data
            full = len(piece) == _STEP and not self._stream.eof
            if piece:
                yield self._within(piece)

    def finish(self) -> None:
        """Say that nothing more comes.

        Raises:
            InputInvalid: something is missing.
        """
        if not self._stream.eof:
            raise InputInvalid("the compressed content is cut off")

    def _decompress(self, packed: bytes) -> bytes:
        try:
            return self._stream.decompress(packed, _STEP)
        except zlib.error:
            raise InputInvalid("the content is not the gzip that its Content-Encoding says") from None

    def _within(self, piece: bytes) -> bytes:
        self._grown += len(piece)
        most = min(self._limit, max(RATIO_FROM_BYTES, MAX_RATIO * self._received))
        if self._grown > most:
            raise InputTooLarge(f"the content grows beyond {most} bytes when it is unpacked", limit=most)
        return piece


def is_packed(encoding: str) -> bool:
    """Tell whether a `Content-Encoding` says that content is compressed.

    Raises:
        MediaTypeUnsupported: it is another one than gzip.
    """
    named = encoding.strip().lower()
    if named not in {"", "identity", "gzip", "x-gzip"}:
        raise MediaTypeUnsupported("content may come with Content-Encoding gzip, or without one")
    return named.endswith("gzip")


def unpack(content: bytes, encoding: str, *, limit: int) -> bytes:
    """Undo a `Content-Encoding`.

    Args:
        content: as it was sent.
        encoding: the header; `identity` or nothing leaves content as it is, `gzip` is undone.
        limit: bytes that it may grow to.

    Raises:
        MediaTypeUnsupported: it is another encoding.
        InputTooLarge, InputInvalid: as of :class:`Gunzip`.
    """
    if not is_packed(encoding):
        return content
    gunzip = Gunzip(limit)
    out = b"".join(gunzip.feed(content))
    gunzip.finish()
    return out
