"""Uploads in one request: `PUT /object/{name}` with the bytes, `PUT /file` as a form."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from aiohttp import BodyPartReader, web

from storage_network.gateway.envelope import GatewayError, success
from storage_network.gateway.routes import requests
from storage_network.gateway.spool import BODY_STALL_TIMEOUT_S, Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from storage_network.gateway.parts import Gateway
    from storage_network.gateway.records import Owner

#: Parts of a form that are looked at before the one that is meant.
MAX_PARTS: Final = 8

_PIECE: Final = 1024 * 1024


class Uploads:
    """Takes whole objects."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def put_object(self, request: web.Request) -> web.Response:
        """Store a request's body under the name in its path."""
        account = await requests.account_of(self._gateway, request)
        owner = requests.owner_of(request, account, request.match_info["name"])
        await self._require_room(request, owner)
        async with requests.place(self._gateway.places_to_write):
            with self._spool() as spool:
                await spool.receive(request)
                fid = await self._gateway.storing.store(spool, owner)
        return success({"fid": fid.hex()})

    async def put_file(self, request: web.Request) -> web.Response:
        """Store the part `file` of a form, under the name in `Filename` or else the part's own."""
        account = await requests.account_of(self._gateway, request)
        if not request.content_type.startswith("multipart/"):
            raise GatewayError(400, "request Content-Type isn't multipart/form-data")
        async with requests.place(self._gateway.places_to_write):
            part = await _file_part(request)
            owner = requests.owner_of(request, account, _name(request, part))
            await self._require_room(request, owner)
            with self._spool() as spool:
                await spool.take(_pieces(part))
                fid = await self._gateway.storing.store(spool, owner)
        return success({"fid": fid.hex()})

    async def _require_room(self, request: web.Request, owner: Owner) -> None:
        size = request.content_length or 0
        await requests.require_disk(self._gateway, size)
        await self._gateway.storing.require_space(owner, 1)

    def _spool(self) -> Spool:
        return Spool(self._gateway.spools, max_size=self._gateway.settings.max_object_size)


async def _file_part(request: web.Request) -> BodyPartReader:
    try:
        form = await request.multipart()
        for _ in range(MAX_PARTS):
            async with asyncio.timeout(BODY_STALL_TIMEOUT_S):
                part = await form.next()
            if part is None:
                break
            if isinstance(part, BodyPartReader) and part.name == "file":
                return part
    except (ValueError, TimeoutError, ConnectionError, web.RequestPayloadError) as exc:
        raise GatewayError(400, "network error") from exc
    raise GatewayError(400, "http: no such file")


async def _pieces(part: BodyPartReader) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(BODY_STALL_TIMEOUT_S):
            piece = await part.read_chunk(_PIECE)
        if not piece:
            return
        yield bytes(piece)


def _name(request: web.Request, part: BodyPartReader) -> str:
    name = request.headers.get("Filename") or part.filename or ""
    return unquote(name) if "%" in name else name
