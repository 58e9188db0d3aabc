"""A node that misbehaves as told: it asks a real one, unless a script says otherwise."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aiohttp import ClientSession, WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientWebSocketResponse


class Cut(Exception):
    """The connection is cut instead of an answer."""


class Silence(Exception):
    """There is no answer, and the connection stays."""


#: Passes the question on to the real node, or another one, and returns its answer.
Ask: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]
#: Returns the answer to a question, given its parameters.
Script: TypeAlias = Callable[[list[Any], Ask], Awaitable[dict[str, Any] | str]]


def error(code: int, message: str = "no") -> dict[str, Any]:
    """Return a JSON-RPC error."""
    return {"error": {"code": code, "message": message}}


class ScriptedNode:
    """Serves any number of clients, on one port for as long as it lives."""

    def __init__(self, url: str) -> None:
        self._real = url
        self._open: set[web.WebSocketResponse] = set()
        self.scripts: dict[str, Script] = {}
        self.asked: Counter[str] = Counter()
        self.connections = 0
        self.down = False  #: connections are cut before the handshake
        self.noise = False  #: each answer comes behind a notification that nobody wants
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[ScriptedNode]:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_get("/{any:.*}", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"ws://{host}:{port}"
        try:
            yield self
        finally:
            await self.cut()
            await runner.cleanup()

    async def cut(self) -> None:
        """Cut all connections."""
        for each in list(self._open):
            await _cut(each)

    async def fail(self) -> None:
        """Go down."""
        self.down = True
        await self.cut()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        self._open.add(socket)
        try:
            async with ClientSession() as session, session.ws_connect(self._real, max_msg_size=0) as real:
                await self._converse(socket, real)
        finally:
            self._open.discard(socket)
        return socket

    async def _converse(self, socket: web.WebSocketResponse, real: ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                return
            question = json.loads(message.data)
            self.asked[question["method"]] += 1
            try:
                answer = await self._answer(question, real)
            except Cut:
                await _cut(socket)
                return
            except Silence:
                continue
            if self.noise:
                await socket.send_json({"jsonrpc": "2.0", "method": "x", "params": {"subscription": "y"}})
            if isinstance(answer, dict):
                answer = json.dumps({"jsonrpc": "2.0", "id": question["id"], **answer})
            await socket.send_str(answer)

    async def _answer(self, question: dict[str, Any], real: ClientWebSocketResponse) -> dict[str, Any] | str:
        async def ask(method: str = question["method"], params: Any = question["params"]) -> dict[str, Any]:
            await real.send_json({**question, "method": method, "params": params})
            answer = await real.receive_json()
            return {name: answer[name] for name in ("result", "error") if name in answer}

        script = self.scripts.get(question["method"])
        return await ask() if script is None else await script(question["params"], ask)


async def _cut(socket: web.WebSocketResponse) -> None:
    """Cut a connection as a dead network does: without a word."""
    transport = socket._req.transport if socket._req is not None else None
    if transport is not None:
        transport.abort()
    await asyncio.sleep(0)


#: The answer of a node that is something else.
GARBAGE: Final = "<html>Bad Gateway</html>"


async def cut(_: list[Any], __: Ask) -> dict[str, Any]:
    """Cut the connection before the node hears of the question."""
    raise Cut


async def cut_after(_: list[Any], ask: Ask) -> dict[str, Any]:
    """Let the node do what is asked, and cut the connection."""
    await ask()
    raise Cut


async def silent(_: list[Any], __: Ask) -> dict[str, Any]:
    """Say nothing, and do nothing."""
    raise Silence


async def silent_after(_: list[Any], ask: Ask) -> dict[str, Any]:
    """Let the node do what is asked, and say nothing."""
    await ask()
    raise Silence


async def garbage(_: list[Any], __: Ask) -> str:
    """Say something that is not JSON."""
    return GARBAGE


def always(answer: dict[str, Any]) -> Script:
    """Say the same whatever is asked, and do nothing."""

    async def script(_: list[Any], __: Ask) -> dict[str, Any]:
        return answer

    return script


def once(script: Script, *then: Script) -> Script:
    """Follow a script the first time, then the others in turn, then ask the node."""
    left = [script, *then]

    async def stepped(params: list[Any], ask: Ask) -> dict[str, Any] | str:
        return await left.pop(0)(params, ask) if left else await ask()

    return stepped
