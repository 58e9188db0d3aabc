"""A gateway that can be asked how much of an upload it holds, and that fails where a test wants it to."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.test_utils import TestServer

from caregrid.storage import file_id_of
from tests.contract.gateways.stock_answers import document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class AskableGateway:
    """What it holds, and what it is to do wrong next; tests change both."""

    cuts: list[int] = field(default_factory=list)  #: offsets at which a chunk breaks off, each once
    lost_answers: int = 0  #: so many last chunks are taken, and the answer does not arrive
    forgets: bool = False  #: nothing is held of an upload any more when it is done
    busy: int = 0  #: so many requests are sent away
    held: dict[str, bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    done: dict[str, str] = field(default_factory=dict)  #: file ids by name
    received: int = 0  #: bytes of chunks that were kept
    requests: list[tuple[str, str]] = field(default_factory=list)  #: method, content range
    url: str = ""

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("HEAD", "/resume/{name}", self._offset)
        app.router.add_put("/resume/{name}", self._chunk)
        return app

    async def _offset(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(("HEAD", request.headers["Content-Range"]))
        held = self.held[request.match_info["name"]]
        return web.Response(headers={"Upload-Offset": str(len(held))})

    async def _chunk(self, request: web.Request) -> web.StreamResponse:
        span = request.headers["Content-Range"]
        self.requests.append(("PUT", span))
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", span)
        assert found is not None
        if self.busy:
            self.busy -= 1
            text = document(403, "server busy")
            return web.Response(status=429, text=text, headers={"Retry-After": "1"})
        start, end, total = map(int, found.groups())
        return await self._take(request, start, end, total)

    async def _take(self, request: web.Request, start: int, end: int, total: int) -> web.StreamResponse:
        name = request.match_info["name"]
        held = self.held[name]
        if start > len(held) and name not in self.done:
            return web.Response(status=400, text=document(400, "Illegal Content-Range content"))
        body = (await request.read())[max(0, len(held) - start) :]
        cut = next((cut for cut in self.cuts if start <= cut <= end), None)
        if cut is not None:
            self.cuts.remove(cut)
            self._keep(held, body[: cut - start])
            return _hang_up(request)
        if name not in self.done:
            self._keep(held, body)
        if end + 1 < total:
            return web.Response(
                status=308, text="null", headers={"Content-Range": request.headers["Content-Range"]}
            )
        return self._finish(request, name, held)

    def _finish(self, request: web.Request, name: str, held: bytearray) -> web.StreamResponse:
        if name not in self.done:
            self.done[name] = file_id_of(held).hex()
        if self.forgets:
            held.clear()
        if self.lost_answers:
            self.lost_answers -= 1
            return _hang_up(request)
        return web.Response(text=document(200, "ok", {"fid": self.done[name]}))

    def _keep(self, held: bytearray, body: bytes) -> None:
        held += body
        self.received += len(body)


@asynccontextmanager
async def askable_gateway() -> AsyncIterator[AskableGateway]:
    """Run such a gateway on a free port of this machine."""
    gateway = AskableGateway()
    async with TestServer(gateway.app()) as server:
        gateway.url = str(server.make_url("/"))
        yield gateway


def _hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
