"""Closes connections that ask for nothing: idle ones, and those whose request never gets complete."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp.typedefs import Handler

#: From a connection, or its last answer, to the end of the next request's head. Clients keep them for less.
IDLE_TIMEOUT_S: Final = 75.0

#: How often that is looked at.
LOOK_INTERVAL_S: Final = 5.0

#: How the server is set up: content is taken as it is sent, and an access log would hold ids.
SERVER_OPTIONS: Final[dict[str, Any]] = {"access_log": None, "auto_decompress": False}


class Connections:
    """Knows which connections have a request under way."""

    def __init__(self, idle_timeout_s: float = IDLE_TIMEOUT_S) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._busy: set[Any] = set()
        self._idle_since: dict[Any, float] = {}

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Run a handler; its connection is not idle meanwhile."""
        self._busy.add(request.protocol)
        try:
            return await handler(request)
        finally:
            self._busy.discard(request.protocol)
            self._idle_since[request.protocol] = asyncio.get_running_loop().time()

    def sweep(self, server: web.Server) -> int:
        """Close what is idle for too long; return how many that were."""
        now = asyncio.get_running_loop().time()
        idle = [each for each in server.connections if each not in self._busy]
        self._idle_since = {each: self._idle_since.get(each, now) for each in idle}
        late = [each for each, since in self._idle_since.items() if now - since > self._idle_timeout_s]
        for each in late:
            each.force_close()
        return len(late)


CONNECTIONS: Final = web.AppKey("connections", Connections)


def noting(connections: Connections) -> Any:
    """Return the middleware that notes what is under way."""

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await connections.serve(request, handler)

    return note


@contextmanager
def guarded(runner: web.AppRunner, interval_s: float = LOOK_INTERVAL_S) -> Iterator[None]:
    """Look after a running server's connections."""
    if runner.server is None:
        raise RuntimeError("set the runner up first")
    watch = _Watch(runner.app[CONNECTIONS], runner.server, interval_s)
    try:
        yield
    finally:
        watch.end()


class _Watch:
    def __init__(self, connections: Connections, server: web.Server, interval_s: float) -> None:
        self._connections, self._server, self._interval_s = connections, server, interval_s
        self._timer = self._again()

    def end(self) -> None:
        self._timer.cancel()

    def _again(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._interval_s, self._look)

    def _look(self) -> None:
        self._connections.sweep(self._server)
        self._timer = self._again()
