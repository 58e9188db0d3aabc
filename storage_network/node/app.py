"""The HTTP interface of a storage node, for its gateway only.

::

    PUT    /fragment/{sha256}   201; a fragment, checked; zero bytes at its end may be left out
    GET    /fragment/{sha256}   200, checked; with `Range` 206
    HEAD   /fragment/{sha256}   200 with the size, unchecked; with `Check` read from the disk and checked
    DELETE /fragment/{sha256}   204, also when it is not there; its tags go with it
    PUT    /fragment/{sha256}/tags/{sha256 of the tags}    201; tags, of the public scheme behind their key
    GET    /fragment/{sha256}/tags                         200 {"tags": [sha256, ...]}
    POST   /fragment/{sha256}/proof/{sha256 of the tags}   200, the answer to the challenge that is the body
    GET    /health              200 {"fragments", "bytes_free", "bytes_used", "bytes_limit", "corrupt"}
    GET    /metrics             200, Prometheus' text format
    GET    /livez               200; asks for no token

Every other request carries `Authorization: Bearer` with the shared token, where the node has one. Errors are
JSON `{"error": code}`: 400 wrong_size, 400 body_incomplete, 400 hash_mismatch, 400 tags_wrong,
400 challenge_invalid, 401 unauthorised, 404 fragment_unknown, 404 tags_unknown, 410 fragment_corrupt,
416 range_invalid, 507 disk_full.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from caregrid.errors import DigestMismatch, DiskLow, InputInvalid, NotFound, TagsUnknown
from storage_network import process, ranges
from storage_network.node.metrics import NodeMetrics
from storage_network.node.proving import Prover
from storage_network.node.proving_api import ProvingApi
from storage_network.node.scrub import Scrubber, ScrubSettings

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from storage_network.node.fragments import FragmentStore

#: Bytes of a CESS fragment.
FRAGMENT_SIZE: Final = 8 * 1024 * 1024
#: A gateway on the same machine sends a fragment in milliseconds; past this it is gone.
BODY_TIMEOUT_S: Final = 30.0
#: Fragments held in memory at once, so that a node stays below 64 MiB of them.
MAX_FRAGMENTS_IN_MEMORY: Final = 8

_LIVEZ: Final = "/livez"
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})
_CUT_BODY: Final = (asyncio.IncompleteReadError, TimeoutError, ConnectionError, web.RequestPayloadError)
_log = logging.getLogger(__name__)


def make_app(
    store: FragmentStore,
    token: str | None,
    scrubber: Scrubber | None = None,
    *,
    prover: Prover | None = None,
) -> web.Application:
    """Return the application that serves one node's fragments.

    Args:
        store: the fragments.
        token: what the gateway must show; None where its certificate says enough.
        scrubber: runs as long as a process serves the application; by default nothing is scrubbed.
        prover: makes the proofs; by default an honest one.
    """
    scrubber = scrubber or Scrubber(store, Path(), ScrubSettings(period_s=0))
    api = _NodeApi(store, scrubber)
    app = web.Application(middlewares=[api.counted, _require_token(token), _errors_as_json])
    app[process.JOBS] = (scrubber.run,)
    fragment = "/fragment/{digest:[0-9a-f]{64}}"
    app.router.add_put(fragment, api.put)
    app.router.add_get(fragment, api.get, allow_head=False)
    app.router.add_head(fragment, api.head)
    app.router.add_delete(fragment, api.delete)
    ProvingApi(prover or Prover(store), api.memory).serve(app, fragment)
    app.router.add_get("/health", api.health, allow_head=False)
    app.router.add_get("/metrics", api.metrics, allow_head=False)
    app.router.add_get(_LIVEZ, api.livez, allow_head=False)
    return app


class _NodeApi:
    def __init__(self, store: FragmentStore, scrubber: Scrubber) -> None:
        self._store, self._scrubber, self._metrics = store, scrubber, NodeMetrics()
        self.memory = asyncio.Semaphore(MAX_FRAGMENTS_IN_MEMORY)

    async def put(self, request: web.Request) -> web.Response:
        length = request.content_length
        if length is None or length > self._store.fragment_size:
            return _error(400, "wrong_size")
        async with self.memory:
            try:
                content = await self._body(request, length)
                await asyncio.to_thread(self._store.put, _digest(request), content)
            except _CUT_BODY:
                return _error(400, "body_incomplete")
            except DigestMismatch:
                return _error(400, "hash_mismatch")
        return web.json_response({}, status=201)

    async def get(self, request: web.Request) -> web.Response:
        async with self.memory:
            if "Range" in request.headers:
                return await self._part(request, request.headers["Range"])
            content = await asyncio.to_thread(self._store.read, _digest(request))
            return web.Response(body=content)

    async def head(self, request: web.Request) -> web.Response:
        if "Check" in request.headers:
            async with self.memory:
                await asyncio.to_thread(self._store.read, _digest(request))
        size = await asyncio.to_thread(self._store.size, _digest(request))
        if size is None:
            raise NotFound
        return web.Response(headers={"Content-Length": str(size)})

    async def delete(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self._store.delete, _digest(request))
        return web.Response(status=204)

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response(asdict(await asyncio.to_thread(self._store.usage)))

    async def metrics(self, _: web.Request) -> web.Response:
        usage = await asyncio.to_thread(self._store.usage)
        text = self._metrics.text(usage, self._scrubber)
        return web.Response(body=text, headers={"Content-Type": process.METRICS_TYPE})

    async def livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    @property
    def counted(self) -> Middleware:
        """What counts every answer."""
        metrics = self._metrics

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await handler(request)
            metrics.answered(request.method if request.method in _METHODS else "other", response.status)
            return response

        return count

    async def _part(self, request: web.Request, text: str) -> web.Response:
        size = self._store.fragment_size
        part = ranges.parse_standard(text, size)
        content = await asyncio.to_thread(self._store.read_part, _digest(request), part.start, part.length)
        return web.Response(status=206, body=content, headers={"Content-Range": part.content_range(size)})

    async def _body(self, request: web.Request, length: int) -> bytes:
        content = b""
        if length:  # of an empty body nothing can be read, not even nothing
            async with asyncio.timeout(BODY_TIMEOUT_S):
                content = await request.content.readexactly(length)
        return content.ljust(self._store.fragment_size, b"\0")


def _require_token(token: str | None) -> Middleware:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        asked = token is not None and request.path != _LIVEZ
        if asked and not hmac.compare_digest(given, expected):
            return _error(401, "unauthorised")
        return await handler(request)

    return check


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except NotFound as exc:
        return _error(404, "tags_unknown" if isinstance(exc, TagsUnknown) else "fragment_unknown")
    except DigestMismatch:
        _log.warning("fragment_set_aside digest=%s", request.match_info["digest"])
        return _error(410, "fragment_corrupt")
    except InputInvalid:
        return _error(416, "range_invalid")
    except DiskLow:
        return _error(507, "disk_full")
    except OSError as exc:
        if exc.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        return _error(507, "disk_full")


def _digest(request: web.Request) -> bytes:
    return bytes.fromhex(request.match_info["digest"])


def _error(status: int, code: str) -> web.Response:
    return web.json_response({"error": code}, status=status)
