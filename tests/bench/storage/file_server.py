"""`python -m tests.bench.storage.file_server FOLDER`: a plain file server to compare with.

It takes a body into a file, syncs it, and hands it out again; it prints its URL and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

from aiohttp import web

_CHUNK: Final = 1 << 20


def make_app(folder: Path) -> web.Application:
    """Return the application."""

    async def put(request: web.Request) -> web.Response:
        with (folder / request.match_info["name"]).open("wb") as file:
            async for chunk in request.content.iter_chunked(_CHUNK):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        return web.Response()

    app = web.Application()
    app.router.add_put("/{name}", put)
    app.router.add_static("/", folder)
    return app


async def main() -> None:
    """Serve on a free port of the loopback interface."""
    runner = web.AppRunner(make_app(Path(sys.argv[1])), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)  # noqa: T201 - whoever started it reads this
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
