"""Content of objects as a gateway sends it: exactly what was asked for, or an error."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import aiohttp

from caregrid.errors import DigestMismatch, ProtocolViolation, StorageUnreachable
from caregrid.storage.deoss import deadlines, transport
from caregrid.storage.file_id import FRAGMENT_SIZE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from caregrid.storage.deoss.transport import Transport


class Reads:
    """Reads from one gateway."""

    def __init__(self, gateway: Transport) -> None:
        self._gateway = gateway

    async def part(self, object_id: bytes, offset: int, length: int) -> AsyncGenerator[bytes]:
        """Yield `length` bytes from `offset`, which must not be none."""
        last = offset + length - 1
        async with self._gateway.request(
            "GET",
            _open_path(object_id),
            headers=_range_header(offset, last),
            transfer=length,
            deadline_s=deadlines.RANGE_TIMEOUT_S,
        ) as response:
            await transport.require_content(response, transport.PARTIAL_CONTENT)
            _require_answered_range(response, offset, last)
            async with aclosing(self._content(response, object_id, offset, length)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def whole(self, object_id: bytes, size: int) -> AsyncGenerator[bytes]:
        """Yield all bytes of an object that has `size` of them."""
        async with self._gateway.request(
            "GET",
            f"file/download/{object_id.hex()}",
            transfer=size,
            deadline_s=deadlines.DOWNLOAD_TIMEOUT_S,
        ) as response:
            await transport.require_content(response, transport.OK)
            _require_length(response, size)
            async with aclosing(self._content(response, object_id, 0, size)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def fragment(self, object_id: bytes, digest: bytes, headers: Mapping[str, str]) -> bytes:
        """Return one fragment, which has this digest."""
        query = {"fid": object_id.hex(), "fragment": digest.hex()}
        options: dict[str, Any] = {"params": query, "headers": headers, "transfer": FRAGMENT_SIZE}
        async with self._gateway.request(
            "GET", "fragment/download", deadline_s=deadlines.FRAGMENT_TIMEOUT_S, **options
        ) as response:
            await transport.require_content(response, transport.OK)
            async with aclosing(_received(response, FRAGMENT_SIZE)) as chunks:
                content = b"".join([chunk async for chunk in chunks])
        if hashlib.sha256(content).digest() != digest:
            raise DigestMismatch("the storage gateway sent another fragment than it was asked for")
        return content

    async def _content(
        self, response: aiohttp.ClientResponse, object_id: bytes, offset: int, length: int
    ) -> AsyncGenerator[bytes]:
        received = 0
        async with aclosing(_received(response, length)) as chunks:
            async for chunk in chunks:
                received += len(chunk)
                yield chunk
        if received < length:
            await self._explain_cut(object_id, offset + received)
            raise StorageUnreachable("the storage gateway broke off its answer; try again")

    async def _explain_cut(self, object_id: bytes, offset: int) -> None:
        # An answer that has begun cannot turn into an error; asking from there on brings the error itself.
        async with self._gateway.request(
            "GET",
            _open_path(object_id),
            headers=_range_header(offset, offset),
            deadline_s=deadlines.RANGE_TIMEOUT_S,
        ) as response:
            await transport.require_content(response, transport.PARTIAL_CONTENT)


async def _received(response: aiohttp.ClientResponse, length: int) -> AsyncGenerator[bytes]:
    # Ends early when the answer breaks off; what runs on past its end is refused.
    received = 0
    try:
        async for chunk in response.content.iter_chunked(transport.CHUNK_SIZE):
            received += len(chunk)
            if received > length:
                raise ProtocolViolation("the storage gateway sent more bytes than it was asked for")
            yield chunk
    except aiohttp.ClientPayloadError:
        return


def _open_path(object_id: bytes) -> str:
    return f"file/open/{object_id.hex()}"


def _range_header(first: int, last: int) -> dict[str, str]:
    # DeOSS reads the range from this header, not from `Range`.
    return {"Content-Range": f"bytes={first}-{last}"}


def _require_answered_range(response: aiohttp.ClientResponse, first: int, last: int) -> None:
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    if unit != "bytes" or rest.partition("/")[0] != f"{first}-{last}":
        raise ProtocolViolation("the storage gateway answered with another range than it was asked for")


def _require_length(response: aiohttp.ClientResponse, size: int) -> None:
    if response.content_length == 0:
        # Stock DeOSS does this once, when it has to fetch the file from its miners first.
        raise StorageUnreachable("the storage gateway has not fetched the object yet; try again")
    if response.content_length != size:
        raise ProtocolViolation("the storage gateway sends another number of bytes than the object has")
