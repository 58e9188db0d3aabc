"""Content: whole objects, ranges of them, and single fragments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from caregrid.errors import InputInvalid
from storage_network import ranges
from storage_network.gateway.envelope import GatewayError
from storage_network.gateway.routes import requests

if TYPE_CHECKING:
    from storage_network.gateway.parts import Gateway
    from storage_network.gateway.records import StoredObject


class Reading:
    """Sends content."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Send a whole object."""
        return await self._send_whole(request, await self._find(request))

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Send an object or the part of it that a header asks for."""
        stored = await self._find(request)
        part = _requested_part(request, stored.size)
        if part is None:
            return await self._send_whole(request, stored)
        response = requests.content_response(206, part.length)
        response.headers["Content-Range"] = part.content_range(stored.size)
        async with requests.place(self._gateway.places_to_read):
            return await requests.stream(request, response, self._gateway.reader.part(stored, part))

    async def fragment(self, request: web.Request) -> web.Response:
        """Send one fragment of an object, checked."""
        await requests.account_of(self._gateway, request)
        fid = requests.digest_of(request.query.get("fid", ""), "fid")
        digest = requests.digest_of(request.query.get("fragment", ""), "fragment")
        stored = await requests.find(self._gateway, fid)
        async with requests.place(self._gateway.places_to_read):
            content = await self._gateway.reader.fragment(stored, digest)
            return web.Response(body=content, content_type="application/octet-stream")

    async def _send_whole(self, request: web.Request, stored: StoredObject) -> web.StreamResponse:
        response = requests.content_response(200, stored.size)
        async with requests.place(self._gateway.places_to_read):
            return await requests.stream(request, response, self._gateway.reader.whole(stored))

    async def _find(self, request: web.Request) -> StoredObject:
        return await requests.find(self._gateway, requests.fid_of(request))


def _requested_part(request: web.Request, size: int) -> ranges.ByteRange | None:
    try:
        if "Content-Range" in request.headers:
            return ranges.parse_deoss(request.headers["Content-Range"], size)
        if "Range" in request.headers:
            return ranges.parse_standard(request.headers["Range"], size)
    except InputInvalid as exc:
        raise GatewayError(416, str(exc)) from exc
    return None
