"""Uploads in several requests: `PUT /resume/{name}` with a chunk each, `HEAD` to ask how much is held."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from storage_network.gateway.envelope import GatewayError, success
from storage_network.gateway.resumable import Chunk, chunk_of, total_of, upload_id
from storage_network.gateway.routes import requests
from storage_network.gateway.spool import HeldSpool
from storage_network.gateway.uploads import Upload

if TYPE_CHECKING:
    from storage_network.gateway.parts import Gateway
    from storage_network.gateway.records import Owner


class Resuming:
    """Takes objects in chunks; a chunk that comes again changes nothing."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def put(self, request: web.Request) -> web.Response:
        """Take a chunk; the last one stores the object."""
        account = await requests.account_of(self._gateway, request)
        owner = requests.owner_of(request, account, request.match_info["name"])
        chunk = chunk_of(request.headers.get("Content-Range"))
        self._require_size(chunk.total)
        number = upload_id(account, owner.name, chunk.total)
        async with requests.place(self._gateway.places_to_write), self._gateway.resumable.turn(number):
            upload = await self._upload(number, owner, chunk)
            if upload.fid is not None:
                await self._gateway.resumable.pass_over(request, chunk)
                return success({"fid": upload.fid.hex()})
            await self._gateway.resumable.receive(request, upload, chunk)
            if not chunk.is_last:
                return _go_on(request)
            return success({"fid": (await self._store(upload, owner)).hex()})

    async def head(self, request: web.Request) -> web.Response:
        """Tell how many bytes of an upload are durable."""
        account = await requests.account_of(self._gateway, request)
        total = total_of(request.headers.get("Content-Range"))
        upload = await self._known(upload_id(account, request.match_info["name"], total))
        return web.Response(headers={"Upload-Offset": str(0 if upload is None else upload.held)})

    async def _upload(self, number: bytes, owner: Owner, chunk: Chunk) -> Upload:
        known = await self._known(number)
        # A finished upload whose first chunk comes again is a new one: the content may be another.
        if known is None or (known.fid is not None and chunk.start == 0):
            known = await self._begin(number, owner, chunk)
        if chunk.start > known.held:
            raise GatewayError(400, "Illegal Content-Range content")
        if known.fid is not None and not chunk.is_last:
            raise GatewayError(400, "Illegal Content-Range content")
        return known

    async def _begin(self, number: bytes, owner: Owner, chunk: Chunk) -> Upload:
        if chunk.start > 0:
            raise GatewayError(400, "Illegal Content-Range content")
        await requests.require_disk(self._gateway, chunk.total)
        await self._gateway.storing.require_space(owner, chunk.total)
        upload = Upload(id=number, account=owner.account, total=chunk.total, held=0, fid=None)
        await self._gateway.resumable.begin(upload)
        return upload

    async def _known(self, number: bytes) -> Upload | None:
        upload = await self._gateway.resumable.find(number)
        if upload is None or upload.fid is None:
            return upload
        # What its owner has deleted since has to be sent again, also when another one keeps it.
        owners = await asyncio.to_thread(self._gateway.catalogue.owners, upload.fid)
        return upload if upload.account in {owner.account for owner in owners} else None

    async def _store(self, upload: Upload, owner: Owner) -> bytes:
        resumable = self._gateway.resumable
        path = resumable.path(upload.id)
        with HeldSpool(path, max_size=self._gateway.settings.max_object_size) as spool:
            await asyncio.to_thread(spool.hash)
            fid = await self._gateway.storing.store(spool, owner)
        await resumable.finish(upload, fid)
        return fid

    def _require_size(self, total: int) -> None:
        limit = self._gateway.settings.max_object_size
        if total > limit:
            text = f"the object is larger than the gateway's limit of {limit} bytes"
            raise GatewayError(413, text, {"limit": limit})


def _go_on(request: web.Request) -> web.Response:
    headers = {"Content-Range": request.headers["Content-Range"]}
    return web.json_response(None, status=308, headers=headers)
