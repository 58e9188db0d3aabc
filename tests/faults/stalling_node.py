"""A storage node that takes some bytes of each fragment and then no more: `python stalling_node.py PORT`."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web


async def _answer(request: web.Request) -> web.Response:
    if request.path == "/health":
        room = {"bytes_free": 10**14, "bytes_used": 0, "bytes_limit": None, "fragments": 0, "corrupt": 0}
        return web.json_response(room)
    if request.method == "PUT":
        await request.content.readexactly(1)
        await asyncio.Event().wait()
    return web.Response(status=404)


def main() -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
