"""A storage node that vouches for every fragment and sends other bytes: `python lying_node.py PORT`."""

from __future__ import annotations

import re
import sys

from aiohttp import web

FRAGMENT_SIZE = 8 * 1024 * 1024
LIE = b"\x5a" * FRAGMENT_SIZE


async def _answer(request: web.Request) -> web.Response:
    if request.path == "/health":
        room = {"bytes_free": 10**12, "bytes_used": 0, "bytes_limit": None, "fragments": 0, "corrupt": 0}
        return web.json_response(room)
    if request.method == "PUT":
        await request.read()
        return web.json_response({}, status=201)
    if request.method == "HEAD":
        return web.Response(headers={"Content-Length": str(FRAGMENT_SIZE)})
    part = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
    if part is None:
        return web.Response(body=LIE)
    first, last = int(part[1]), int(part[2])
    headers = {"Content-Range": f"bytes {first}-{last}/{FRAGMENT_SIZE}"}
    return web.Response(status=206, body=LIE[first : last + 1], headers=headers)


def main() -> None:
    """Serve until killed."""
    app = web.Application(client_max_size=2 * FRAGMENT_SIZE)
    app.router.add_route("*", "/{path:.*}", _answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
