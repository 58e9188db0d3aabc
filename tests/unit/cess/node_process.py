"""A process that serves JSON-RPC like CESS nodes, as many as it is told of, each on a path of its own.

`PUT /nodes/NAME` says what a node is like: `state` (keys and values in hexadecimal), `blocks` (number to
hash), `head`, `version`, `health`, and `faults`: by method, what it does instead of answering.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Final

from aiohttp import WSMsgType, web

_LINE: Final = 1024
NODES: Final = web.AppKey("nodes", dict[str, dict[str, Any]])


class Cut(Exception):
    """The connection ends instead of an answer."""


async def _told(request: web.Request) -> web.Response:
    node = request.app[NODES].setdefault(request.match_info["name"], {})
    # In its place, since connections that are open refer to it.
    node |= {"asked": [], **await request.json()}
    return web.json_response({})


async def _asked(request: web.Request) -> web.Response:
    return web.json_response(request.app[NODES][request.match_info["name"]]["asked"])


async def _by_http(request: web.Request) -> web.StreamResponse:
    node = request.app[NODES][request.match_info["name"]]
    fault = node["faults"].get("http", {})
    if "redirect" in fault:
        raise web.HTTPTemporaryRedirect(fault["redirect"])
    if "status" in fault:
        return web.Response(status=fault["status"], text="<html>")
    question = await request.json()
    try:
        text = await _answer(node, question)
    except Cut:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    return web.Response(text=text, content_type="application/json")


async def _by_websocket(request: web.Request) -> web.StreamResponse:
    node = request.app[NODES][request.match_info["name"]]
    fault = node["faults"].get("handshake", {})
    if "redirect" in fault:
        raise web.HTTPTemporaryRedirect(fault["redirect"])
    if "hang" in fault:
        await asyncio.sleep(fault["hang"])
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            break
        try:
            text = await _answer(node, json.loads(message.data))
        except Cut:
            break
        if "noise" in node["faults"]:
            await socket.send_str('{"jsonrpc": "2.0", "method": "noise", "params": {}}')
        await socket.send_str(text)
    return socket


async def _answer(node: dict[str, Any], question: dict[str, Any]) -> str:
    method, params = question["method"], question["params"]
    node["asked"].append([method, params])
    fault = node["faults"].get(method, {})
    if "cut" in fault:
        raise Cut
    if "hang" in fault:
        await asyncio.sleep(fault["hang"])
    if "raw" in fault:
        return str(fault["raw"])
    answer = {"jsonrpc": "2.0", "id": fault.get("id", question["id"])}
    if "error" in fault:
        return json.dumps(answer | {"error": fault["error"]})
    if "filler" in fault:
        return json.dumps(answer | {"result": "0x" + "00" * fault["filler"]})
    return json.dumps(
        answer | {"result": fault["result"] if "result" in fault else _result(node, method, params)}
    )


def _result(node: dict[str, Any], method: str, params: list[Any]) -> Any:  # noqa: PLR0911 - a method each
    match method, params:
        case "system_health", []:
            return node["health"]
        case "chain_getBlockHash", [number]:
            return node["blocks"].get(str(number))
        case "chain_getFinalizedHead", []:
            return node["blocks"][str(node["head"])]
        case "chain_getHeader", [block]:
            return {"number": hex(_number(node, block)), "parentHash": "0x" + "00" * 32}
        case "state_getRuntimeVersion", [block]:
            _number(node, block)
            return node["version"]
        case "state_getStorage", [key, block]:
            _number(node, block)
            return node["state"].get(key)
        case "state_queryStorageAt", [keys, block]:
            _number(node, block)
            return [{"block": block, "changes": [[key, node["state"].get(key)] for key in keys]}]
    raise Cut


def _number(node: dict[str, Any], block: str) -> int:
    return next(int(number) for number, each in node["blocks"].items() if each == block)


async def _serve() -> None:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app[NODES] = {}
    app.router.add_put("/nodes/{name}", _told)
    app.router.add_get("/nodes/{name}", _asked)
    app.router.add_get("/{name}", _by_websocket)
    app.router.add_post("/{name}", _by_http)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 - how the tests learn of the port
    # Whoever started this closes its standard input when it goes.
    await asyncio.to_thread(sys.stdin.read, _LINE)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
