"""A gateway that answers as stock DeOSS 0.4 does, its oddities included, on the routes that a client needs.

It keeps its files in memory, and has a chain that is always at the head unless a test says otherwise.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sr25519
from aiohttp import web
from aiohttp.test_utils import TestServer
from scalecodec.utils.ss58 import ss58_decode

from caregrid.storage import file_id_of, reed_solomon
from caregrid.storage.file_id import SEGMENT_SIZE
from tests.contract.gateways import stock_answers
from tests.contract.gateways.stock_answers import Refusal, answer, content, document, success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.typedefs import Handler

SPACE = 3 * SEGMENT_SIZE


@dataclass
class StockGateway:
    """What it holds, and what it is to do wrong next; tests change both."""

    territories: set[str] = field(default_factory=lambda: {"caregrid"})
    remaining: int = 1 << 50  #: space of each territory
    busy: int = 0  #: so many requests to rate-limited routes are sent away
    syncing: int = 0  #: at so many uploads and deletes the chain lags behind
    cut_answers: int = 0  #: so many chunks are kept, and the connection is closed instead of an answer
    cut_bodies: int = 0  #: so many chunks break off in the middle; what came is kept
    appends: bytes = b""  #: goes to the end of every upload
    fetched: set[str] = field(default_factory=set)  #: files in the cache; others come from the miners first
    files: dict[str, bytes] = field(default_factory=dict)
    owners: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))  #: with territory
    held: dict[tuple[str, str, int], bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    requests: list[tuple[str, str, str]] = field(default_factory=list)  #: method, path, content range
    url: str = ""

    def app(self) -> web.Application:
        """Return the application."""
        middlewares = [self._remember, stock_answers.refusals_as_envelopes]
        app = web.Application(middlewares=middlewares, client_max_size=1 << 30)
        app.router.add_get("/version", self._version, allow_head=False)
        app.router.add_put("/object/{name}", self._put_object)
        app.router.add_put("/resume/{name}", self._put_chunk)
        app.router.add_delete("/file/{fid}", self._delete)
        for name in ("download", "open", "metadata"):
            app.router.add_get(f"/file/{name}/{{fid}}", getattr(self, f"_{name}"), allow_head=False)
        app.router.add_get("/file/list", self._list, allow_head=False)
        app.router.add_get("/fragment/download", self._fragment, allow_head=False)
        return app

    @web.middleware
    async def _remember(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append((request.method, request.path, request.headers.get("Content-Range", "")))
        return await handler(request)

    async def _version(self, _: web.Request) -> web.Response:
        return answer('"deoss v0.4.2 2504101348-1744264102993"')

    async def _put_object(self, request: web.Request) -> web.Response:
        account = _account(request)
        body = await request.read()
        if not body or len(request.match_info["name"]) < 3:
            raise Refusal(500, "system error")
        return self._while_syncing(self._stored(request, account, body))

    async def _put_chunk(self, request: web.Request) -> web.StreamResponse:
        account, (start, end, total) = _account(request), _span(request)
        held = self.held[account, request.match_info["name"], total]
        if start == 0:
            self._count_rate()
        if end >= total or start > end or start > len(held):
            raise Refusal(400, "Illegal Content-Range content")
        body = await request.read()
        if self.cut_bodies:
            self.cut_bodies -= 1
            held += body[: len(body) // 2]
            return _hang_up(request)
        held += body  # the file is open in append mode: whatever comes goes to its end
        if self.cut_answers:
            self.cut_answers -= 1
            return _hang_up(request)
        if len(body) != end - start + 1:
            raise Refusal(400, f"received {'more' if len(body) > end - start + 1 else 'less'} file content")
        if end + 1 < total:
            echoed = {"Content-Range": request.headers["Content-Range"]}
            return web.Response(status=308, text="null", content_type="application/json", headers=echoed)
        return self._stored(request, account, bytes(held))

    async def _delete(self, request: web.Request) -> web.Response:
        self._count_rate()
        account, fid = _account(request), request.match_info["fid"]
        if account not in self.owners[fid]:
            second = document(400, "system error")
            return answer(f'"Module error; FileBank.NotOwner"{second}', status=400)
        del self.owners[fid][account]
        if not self.owners[fid]:
            del self.files[fid]
        return success({"block hash": "0x" + "5e" * 32})

    async def _download(self, request: web.Request) -> web.Response:
        self._count_rate()
        fid = request.match_info["fid"]
        if fid not in self.files:
            raise Refusal(404, "Not found")
        if fid not in self.fetched:
            self.fetched.add(fid)
            return content(b"")  # the length of what it fetched is not known yet, so it says 0
        return content(self.files[fid])

    async def _open(self, request: web.Request) -> web.Response:
        self._count_rate()
        fid = request.match_info["fid"]
        if len(fid) < 64 and "." not in fid:
            return answer(f'"invalid fid"{document(400, "invalid fid")}', status=404)
        if fid not in self.files:
            raise Refusal(400, "file not found")
        self.fetched.add(fid)
        asked, body = request.headers.get("Content-Range"), self.files[fid]
        if asked is None:
            return content(body)
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", asked)
        if found is None:
            raise Refusal(416, "invalid range value")
        start, end = int(found[1]), int(found[2])
        if end >= len(body) or start > end:
            raise Refusal(416, "invalid range end")
        told = {"Content-Range": f"bytes {start}-{end}/{len(body)}", "Content-Type": "text/plain"}
        return content(body[start : end + 1], 206, **told)

    async def _metadata(self, request: web.Request) -> web.Response:
        self._count_rate()
        fid = request.match_info["fid"]
        if fid not in self.files:
            raise Refusal(403, stock_answers.NOT_ON_CHAIN)
        owners = [{"user": account, "file_name": "name"} for account in self.owners[fid]]
        return success({"fid": fid, "size": len(self.files[fid]), "owner": owners})

    async def _list(self, request: web.Request) -> web.Response:
        self._count_rate()
        account, territory = request.query.get("Account"), request.query.get("Territory")
        if account is None:
            raise Refusal(400, "Please set your Account in the header or url")
        # In no order, and all of it, whatever else was asked for.
        found: list[dict[str, Any]] = [
            {"territory": territory, "fid": fid, "size": _space(self.files[fid])}
            for fid, owners in self.owners.items()
            if owners.get(account) == territory
        ]
        return success(found or None)

    async def _fragment(self, request: web.Request) -> web.Response:
        _account(request)
        body = self.files.get(request.query["fid"], b"")
        for start in range(0, len(body), SEGMENT_SIZE):
            for each in reed_solomon.encode(body[start : start + SEGMENT_SIZE].ljust(SEGMENT_SIZE, b"\0")):
                if hashlib.sha256(each).hexdigest() == request.query["fragment"]:
                    return content(each)
        raise Refusal(404, "Not found")

    def _stored(self, request: web.Request, account: str, body: bytes) -> web.Response:
        territory = request.headers.get("Territory", "")
        if territory not in self.territories:
            raise Refusal(400, "please purchase territory first")
        if self.remaining < _space(body):
            raise Refusal(400, "insufficient territory space")
        body += self.appends
        fid = file_id_of(body).hex()
        self.files.setdefault(fid, body)
        self.fetched.add(fid)
        self.owners[fid].setdefault(account, territory)
        return success({"fid": fid})

    def _while_syncing(self, then: web.Response) -> web.Response:
        if not self.syncing:
            return then
        self.syncing -= 1
        # The handler goes on after it wrote the refusal.
        return answer(document(403, "Syncing the latest blocks") + (then.text or ""))

    def _count_rate(self) -> None:
        if self.busy:
            self.busy -= 1
            raise Refusal(403, "server busy")


@asynccontextmanager
async def stock_gateway() -> AsyncIterator[StockGateway]:
    """Run a stock gateway on a free port of this machine."""
    gateway = StockGateway()
    async with TestServer(gateway.app()) as server:
        gateway.url = str(server.make_url("/"))
        yield gateway


def _account(request: web.Request) -> str:
    address, message = request.headers.get("Account", ""), request.headers.get("Message", "")
    signature = bytes.fromhex(request.headers.get("Signature", "").removeprefix("0x"))
    try:
        genuine = sr25519.verify(signature, message.encode(), bytes.fromhex(ss58_decode(address)))
    except ValueError:
        genuine = False
    if not genuine:
        raise Refusal(403, "no permission")
    return address


def _span(request: web.Request) -> tuple[int, int, int]:
    told = request.headers.get("Content-Range")
    if told is None:
        raise Refusal(400, "Content-Range is missing from the request header")
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", told)
    if found is None:
        raise Refusal(400, "Illegal Content-Range content")
    return int(found[1]), int(found[2]), int(found[3])


def _space(body: bytes) -> int:
    return -(-len(body) // SEGMENT_SIZE) * SPACE


def _hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
