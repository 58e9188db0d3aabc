"""The HTTP interface of a storage node, for its gateway only.

::

    PUT  /fragment/{sha256}   201; body of exactly one fragment, checked against its hash
    GET  /fragment/{sha256}   200, checked; with `Range` 206
    HEAD /fragment/{sha256}   200 with the size, unchecked; with `Check` read from the disk and checked
    GET  /health              200 {"fragments": n, "bytes_free": n}

Every request carries `Authorization: Bearer` with the shared token. Errors are JSON `{"error": code}`:
400 wrong_size, 400 body_incomplete, 400 hash_mismatch, 401 unauthorised, 404 fragment_unknown,
410 fragment_corrupt, 416 range_invalid, 507 disk_full.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
from typing import TYPE_CHECKING, Final

from aiohttp import web

from caregrid.errors import DigestMismatch, InputInvalid, NotFound
from storage_network import ranges

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from storage_network.node.fragments import FragmentStore

#: Bytes of a CESS fragment.
FRAGMENT_SIZE: Final = 8 * 1024 * 1024
#: A gateway on the same machine sends a fragment in milliseconds; past this it is gone.
BODY_TIMEOUT_S: Final = 30.0
#: Fragments held in memory at once, so that a node stays below 64 MiB of them.
MAX_FRAGMENTS_IN_MEMORY: Final = 8

_CUT_BODY: Final = (asyncio.IncompleteReadError, TimeoutError, ConnectionError, web.RequestPayloadError)
_log = logging.getLogger(__name__)


def make_app(store: FragmentStore, token: str) -> web.Application:
    """Return the application that serves one node's fragments."""
    api = _NodeApi(store)
    app = web.Application(middlewares=[_require_token(token), _errors_as_json])
    fragment = "/fragment/{digest:[0-9a-f]{64}}"
    app.router.add_put(fragment, api.put)
    app.router.add_get(fragment, api.get, allow_head=False)
    app.router.add_head(fragment, api.head)
    app.router.add_get("/health", api.health, allow_head=False)
    return app


class _NodeApi:
    def __init__(self, store: FragmentStore) -> None:
        self._store = store
        self._memory = asyncio.Semaphore(MAX_FRAGMENTS_IN_MEMORY)

    async def put(self, request: web.Request) -> web.Response:
        if request.content_length != self._store.fragment_size:
            return _error(400, "wrong_size")
        async with self._memory:
            try:
                content = await self._body(request)
                await asyncio.to_thread(self._store.put, _digest(request), content)
            except _CUT_BODY:
                return _error(400, "body_incomplete")
            except DigestMismatch:
                return _error(400, "hash_mismatch")
        return web.json_response({}, status=201)

    async def get(self, request: web.Request) -> web.Response:
        async with self._memory:
            if "Range" in request.headers:
                return await self._part(request, request.headers["Range"])
            content = await asyncio.to_thread(self._store.read, _digest(request))
            return web.Response(body=content)

    async def head(self, request: web.Request) -> web.Response:
        if "Check" in request.headers:
            async with self._memory:
                await asyncio.to_thread(self._store.read, _digest(request))
        size = await asyncio.to_thread(self._store.size, _digest(request))
        if size is None:
            raise NotFound
        return web.Response(headers={"Content-Length": str(size)})

    async def health(self, _: web.Request) -> web.Response:
        usage = await asyncio.to_thread(self._store.usage)
        return web.json_response({"fragments": usage.fragments, "bytes_free": usage.bytes_free})

    async def _part(self, request: web.Request, text: str) -> web.Response:
        size = self._store.fragment_size
        part = ranges.parse_standard(text, size)
        content = await asyncio.to_thread(self._store.read_part, _digest(request), part.start, part.length)
        return web.Response(status=206, body=content, headers={"Content-Range": part.content_range(size)})

    async def _body(self, request: web.Request) -> bytes:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.content.readexactly(self._store.fragment_size)


def _require_token(token: str) -> Middleware:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, expected):
            return _error(401, "unauthorised")
        return await handler(request)

    return check


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except NotFound:
        return _error(404, "fragment_unknown")
    except DigestMismatch:
        _log.warning("fragment_set_aside digest=%s", request.match_info["digest"])
        return _error(410, "fragment_corrupt")
    except InputInvalid:
        return _error(416, "range_invalid")
    except OSError as exc:
        if exc.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        return _error(507, "disk_full")


def _digest(request: web.Request) -> bytes:
    return bytes.fromhex(request.match_info["digest"])


def _error(status: int, code: str) -> web.Response:
    return web.json_response({"error": code}, status=status)
