"""DeOSS's routes.

Where this gateway departs from the stock one:

* an error's code is the HTTP status, too (stock answers 200 to everything);
* a standard `Range` header works on `/file/open`, besides DeOSS's `Content-Range` request header;
* content is always `application/octet-stream`, since all content is sealed;
* an upload is answered only when all its fragments are on their nodes' disks;
* owners in `/file/metadata` carry their territory, and with a header `Placement` it tells how many fragments
  of the worst segment live, and on how many nodes; 409 answers content that another size shares its id with;
* `POST /file/repair/{fid}`, signed by an owner, rebuilds fragments that are lost or damaged; on CESS that is
  the miners' own affair;
* `Cipher` is refused: content is sealed before it comes here.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp import web

from caregrid.errors import CaregridError, InputInvalid, ObjectUnknown, Unauthorised
from storage_network import files, ranges
from storage_network.gateway import auth
from storage_network.gateway.catalogue import Catalogue, Owner, StoredObject
from storage_network.gateway.dispersal import Disperser
from storage_network.gateway.envelope import GatewayError, errors_as_envelopes, success
from storage_network.gateway.node_client import NodeClient
from storage_network.gateway.placement import Prober
from storage_network.gateway.reader import Reader
from storage_network.gateway.repair import Repairer
from storage_network.gateway.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from storage_network.gateway.settings import GatewaySettings

#: Uploads received at once; each lies on the gateway's disk until it is spread.
MAX_UPLOADS: Final = 16
#: Reads served at once; each holds a fragment in memory.
MAX_READS: Final = 32
#: A request that finds all places taken waits this long before it is sent away.
PLACE_TIMEOUT_S: Final = 30.0
#: A reader that takes nothing for this long is gone; he must not keep a place from others.
CLIENT_STALL_TIMEOUT_S: Final = 60.0

_NAME_LENGTHS: Final = range(3, 64)
_MAX_TERRITORY: Final = 63
_WRITE_SIZE: Final = 1024 * 1024
_FID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def make_app(settings: GatewaySettings) -> web.Application:
    """Return the application that serves one gateway; its folder is touched when it starts."""
    app = web.Application(middlewares=[errors_as_envelopes])
    gateway = _Gateway(settings)
    app.cleanup_ctx.append(gateway.lifetime)
    app.router.add_get("/version", gateway.version, allow_head=False)
    app.router.add_put("/object/{name}", gateway.put_object)
    app.router.add_get("/file/download/{fid}", gateway.download, allow_head=False)
    app.router.add_get("/file/open/{fid}", gateway.open, allow_head=False)
    app.router.add_get("/file/metadata/{fid}", gateway.metadata, allow_head=False)
    app.router.add_post("/file/repair/{fid}", gateway.repair)
    return app


class _Gateway:
    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._spools = settings.root / "spool"

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        files.clear_folder(self._spools)
        self._catalogue = Catalogue(self._settings.root / "catalogue.sqlite")
        self._uploads, self._reads = asyncio.Semaphore(MAX_UPLOADS), asyncio.Semaphore(MAX_READS)
        async with aiohttp.ClientSession(read_bufsize=_WRITE_SIZE) as session:
            nodes = NodeClient(session, self._settings.nodes, self._settings.token)
            self._disperser, self._reader, self._prober = Disperser(nodes), Reader(nodes), Prober(nodes)
            self._repairer = Repairer(nodes)
            yield
        self._catalogue.close()

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response(f"caregrid gateway {importlib.metadata.version('caregrid')}")

    async def put_object(self, request: web.Request) -> web.Response:
        owner = self._owner(request)
        async with _place(self._uploads):
            with Spool(self._spools, max_size=self._settings.max_object_size) as spool:
                await spool.receive(request)
                fid = await self._store(spool, owner)
        return success({"fid": fid.hex()})

    async def download(self, request: web.Request) -> web.StreamResponse:
        return await self._send_whole(request, await self._find(request))

    async def open(self, request: web.Request) -> web.StreamResponse:
        stored = await self._find(request)
        part = _requested_part(request, stored.size)
        if part is None:
            return await self._send_whole(request, stored)
        response = _content_response(206, part.length)
        response.headers["Content-Range"] = part.content_range(stored.size)
        async with _place(self._reads):
            return await _stream(request, response, self._reader.part(stored, part))

    async def metadata(self, request: web.Request) -> web.Response:
        fid = _fid(request)
        size = await asyncio.to_thread(self._catalogue.size, fid)
        if size is None:
            raise ObjectUnknown("Not found")
        owners = await asyncio.to_thread(self._catalogue.owners, fid)
        answer = {"fid": fid.hex(), "size": size, "owner": [_described(owner) for owner in owners]}
        if "Placement" in request.headers:
            answer["placement"] = await self._prober.placement(await self._find(request))
        return success(answer)

    async def repair(self, request: web.Request) -> web.Response:
        account = self._account(request)
        stored = await self._find(request)
        owners = await asyncio.to_thread(self._catalogue.owners, stored.fid)
        if account not in {owner.account for owner in owners}:
            raise Unauthorised("only an owner has an object repaired")
        rebuilt = 0
        async for done in self._repairer.repair(stored):
            moves = [(each.segment, each.position, each.node) for each in done]
            await asyncio.to_thread(self._catalogue.move, stored.fid, moves)
            rebuilt += len(done)
        placement = await self._prober.placement(await self._find(request))
        return success({"rebuilt": rebuilt, "placement": placement})

    def _account(self, request: web.Request) -> bytes:
        return auth.authenticate(
            request.headers, now=time.time(), require_expiry=self._settings.require_expiry
        )

    def _owner(self, request: web.Request) -> Owner:
        account = self._account(request)
        name, territory = request.match_info["name"], request.headers.get("Territory", "")
        if "Cipher" in request.headers:
            raise GatewayError(400, "this gateway does not encrypt; seal the content before storing it")
        if len(name.encode()) not in _NAME_LENGTHS:
            raise GatewayError(400, "the name must be 3 to 63 bytes long")
        if len(territory) > _MAX_TERRITORY or not territory.isprintable():
            raise GatewayError(
                400, f"the territory's name must be at most {_MAX_TERRITORY} printable characters"
            )
        return Owner(account=account, name=name, territory=territory)

    async def _store(self, spool: Spool, owner: Owner) -> bytes:
        fid, segments = await asyncio.to_thread(spool.segments)
        known = await asyncio.to_thread(self._catalogue.size, fid)
        if known is None:
            placed = await self._disperser.disperse(spool, segments)
            stored = StoredObject(fid=fid, size=spool.size, segments=placed)
            await asyncio.to_thread(self._catalogue.add, stored, owner)
        elif known == spool.size:
            await asyncio.to_thread(self._catalogue.add_owner, fid, owner)
        else:
            raise GatewayError(
                409, f"content of {known} bytes has this file id; the two differ by trailing zero bytes only"
            )
        return fid

    async def _send_whole(self, request: web.Request, stored: StoredObject) -> web.StreamResponse:
        response = _content_response(200, stored.size)
        async with _place(self._reads):
            return await _stream(request, response, self._reader.whole(stored))

    async def _find(self, request: web.Request) -> StoredObject:
        stored = await asyncio.to_thread(self._catalogue.find, _fid(request))
        if stored is None:
            raise ObjectUnknown("Not found")
        return stored


@asynccontextmanager
async def _place(places: asyncio.Semaphore) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(PLACE_TIMEOUT_S):
            await places.acquire()
    except TimeoutError:
        raise GatewayError(503, "server busy") from None
    try:
        yield
    finally:
        places.release()


def _content_response(status: int, length: int) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/octet-stream"})
    response.content_length = length
    return response


async def _stream(
    request: web.Request, response: web.StreamResponse, pieces: AsyncGenerator[bytes]
) -> web.StreamResponse:
    # The first piece comes before the headers, so that what cannot be read is an error, not a broken answer.
    piece: bytes | None = await anext(pieces)
    await response.prepare(request)
    try:
        while piece is not None:
            await _write(response, piece)
            piece = await anext(pieces, None)
    except (CaregridError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    finally:
        await pieces.aclose()
    return response


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    view = memoryview(piece)
    for start in range(0, len(view), _WRITE_SIZE):
        async with asyncio.timeout(CLIENT_STALL_TIMEOUT_S):
            await response.write(view[start : start + _WRITE_SIZE])


def _fid(request: web.Request) -> bytes:
    text = request.match_info["fid"]
    if not _FID.fullmatch(text):
        raise GatewayError(400, "invalid fid")
    return bytes.fromhex(text)


def _requested_part(request: web.Request, size: int) -> ranges.ByteRange | None:
    try:
        if "Content-Range" in request.headers:
            return ranges.parse_deoss(request.headers["Content-Range"], size)
        if "Range" in request.headers:
            return ranges.parse_standard(request.headers["Range"], size)
    except InputInvalid as exc:
        raise GatewayError(416, str(exc)) from exc
    return None


def _described(owner: Owner) -> dict[str, str]:
    return {"user": auth.cess_address(owner.account), "file_name": owner.name, "territory": owner.territory}
