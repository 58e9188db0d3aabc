"""Contents of requests: read in bounds and in time, unpacked, and compared to what they are said to be."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from caregrid.content import SNIFF_BYTES, Gunzip, is_packed, outcome, precheck
from caregrid.errors import (
    ContentAltered,
    ContentStalled,
    InputInvalid,
    InputTooLarge,
    ValidationFailed,
)
from caregrid.signing import parse_content_digest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiohttp import web

    from caregrid.content import MediaType

#: Content arrives from the same machine or network; a sender that pauses this long has died.
BODY_STALL_TIMEOUT_S: Final = 30.0

#: What a sender gets beyond the time that his bytes take at the lowest rate.
BODY_GRACE_S: Final = 60.0

#: A slower sender only wants to hold the place of others.
MIN_BYTES_PER_S: Final = 16 * 1024

_CHUNK_SIZE: Final = 256 * 1024
_DIGEST_FORM: Final = "Content-Digest is `sha-256=:BASE64:`"


def encoding_of(request: web.Request) -> str:
    """Return how content is packed, as its sender says."""
    return ", ".join(request.headers.getall("Content-Encoding", ()))


async def content_of(request: web.Request, limit: int) -> AsyncGenerator[bytes, None]:
    """Yield the content as it arrives, unpacked; end only when what was sent is what `Content-Digest` says.

    Args:
        request: whose content it is.
        limit: bytes that packed content may grow to; how much comes otherwise, who reads it bounds.

    Raises:
        ContentStalled: the sender stopped before its end, or is too slow.
        ContentAltered: the digest does not fit.
        MediaTypeUnsupported: it is packed otherwise than by gzip.
        InputTooLarge, InputInvalid: it grows too much, or is no gzip.
    """
    packed = is_packed(encoding_of(request))
    async with aclosing(_sent(request)) as chunks:
        if not packed:
            async for chunk in chunks:
                yield chunk
            return
        gunzip = Gunzip(limit)
        async for chunk in chunks:
            for piece in gunzip.feed(chunk):
                yield piece
                await asyncio.sleep(0)  # a chunk may hold a lot, and others wait
        gunzip.finish()


async def agreeing(
    content: AsyncGenerator[bytes, None], media_type: MediaType
) -> AsyncGenerator[bytes, None]:
    """Yield content if it begins as content of its type does.

    Raises:
        ValidationFailed: it does not; the outcome says what it looks like.
    """
    head = b""
    async with aclosing(content):
        async for chunk in content:
            if len(head) < SNIFF_BYTES:
                head += chunk
                if len(head) < SNIFF_BYTES:
                    continue
                chunk = head  # noqa: PLW2901 - what was held back goes first
                _require_agreement(head, media_type)
            yield chunk
        if 0 < len(head) < SNIFF_BYTES:
            _require_agreement(head, media_type)
            yield head


def _require_agreement(head: bytes, media_type: MediaType) -> None:
    fault = precheck(head[:SNIFF_BYTES], media_type)
    if fault is not None:
        raise ValidationFailed(fault.text, outcome=outcome([fault]))


async def whole_body(request: web.Request, limit: int) -> bytes:
    """Return a body that is bounded.

    Raises:
        InputTooLarge: it is larger; otherwise as `content_of`.
    """
    body = bytearray()
    async with aclosing(content_of(request, limit)) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                raise InputTooLarge(limit=limit)
    return bytes(body)


async def _sent(request: web.Request) -> AsyncGenerator[bytes, None]:
    wanted, digest = _expected_digest(request), hashlib.sha256()
    received, waited = 0, 0.0
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        chunk = await _read(request)
        waited, received = waited + clock() - began, received + len(chunk)
        if waited > BODY_GRACE_S + received / MIN_BYTES_PER_S:
            raise ContentStalled
        if not chunk:
            break
        if wanted is not None:
            digest.update(chunk)
        yield chunk
    if wanted is not None and digest.digest() != wanted:
        raise ContentAltered


async def _read(request: web.Request) -> bytes:
    if request.content.is_eof():
        return await request.content.read(_CHUNK_SIZE)  # all of it is here: nothing to wait for
    try:
        async with asyncio.timeout(BODY_STALL_TIMEOUT_S):
            return await request.content.read(_CHUNK_SIZE)
    except TimeoutError:
        raise ContentStalled from None


def _expected_digest(request: web.Request) -> bytes | None:
    header = request.headers.get("Content-Digest")
    if header is None:
        return None
    if len(request.headers.getall("Content-Digest")) > 1 or (found := parse_content_digest(header)) is None:
        raise InputInvalid(_DIGEST_FORM)
    return found
