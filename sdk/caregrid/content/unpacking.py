"""Unpacks content that its sender compressed for the way, within bounds: a bomb never goes off."""

from __future__ import annotations

import zlib
from typing import Final

from caregrid.errors import InputInvalid, InputTooLarge, MediaTypeUnsupported

#: Clinical text shrinks to a tenth, repetitive Bundles to a fiftieth; beyond this somebody means harm.
MAX_RATIO: Final = 200

#: Below this the ratio says nothing: a page of blanks is small either way.
RATIO_FROM_BYTES: Final = 1024 * 1024

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_STEP: Final = 256 * 1024


def unpack(content: bytes, encoding: str, *, limit: int) -> bytes:
    """Undo a `Content-Encoding`.

    Args:
        content: as it was sent.
        encoding: the header; `identity` or nothing leaves content as it is, `gzip` is undone.
        limit: bytes that it may grow to.

    Raises:
        MediaTypeUnsupported: it is another encoding.
        InputTooLarge: it grows beyond the limit, or to more than MAX_RATIO times what was sent.
        InputInvalid: it is damaged, cut off, or something follows it.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return content
        case "gzip" | "x-gzip":
            return _gunzip(content, limit)
    raise MediaTypeUnsupported("content may come with Content-Encoding gzip, or without one")


def _gunzip(content: bytes, limit: int) -> bytes:
    stream, out, rest = zlib.decompressobj(_GZIP_WINDOW), bytearray(), content
    most = min(limit, max(RATIO_FROM_BYTES, MAX_RATIO * len(content)))
    while not stream.eof:
        try:
            piece = stream.decompress(rest, _STEP)
        except zlib.error:
            raise InputInvalid("the content is not the gzip that its Content-Encoding says") from None
        if not piece and not stream.unconsumed_tail and not stream.eof:
            raise InputInvalid("the compressed content is cut off")
        out += piece
        rest = stream.unconsumed_tail
        if len(out) > most:
            raise InputTooLarge(f"the content grows beyond {most} bytes when it is unpacked", limit=most)
    if stream.unused_data:
        raise InputInvalid("something follows the compressed content")
    return bytes(out)
