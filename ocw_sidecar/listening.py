"""The sidecar's port, and the file that says where it is."""

from __future__ import annotations

import errno
import json
import os
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from caregrid.errors import ConfigInvalid, PortTaken
from ocw_sidecar.api.connections import SERVER_OPTIONS, guarded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ocw_sidecar.settings import Settings


@asynccontextmanager
async def listening(app: web.Application, settings: Settings) -> AsyncIterator[str]:
    """Serve an application while the block lasts; the value is its URL.

    Raises:
        PortTaken: somebody listens on the port.
        ConfigInvalid: the host is not usable.
    """
    runner = web.AppRunner(app, **SERVER_OPTIONS, shutdown_timeout=settings.drain_s)
    await runner.setup()
    try:
        await _bind(runner, settings)
        host, port = runner.addresses[0][:2]
        with guarded(runner):
            yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def _bind(runner: web.AppRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"another process listens on port {settings.port}; stop it, or set another CAREGRID_PORT"
            ) from exc
        raise ConfigInvalid(f"cannot listen on {settings.host}; set another CAREGRID_HOST") from exc


@contextmanager
def ready_file(path: Path | None, url: str) -> Iterator[None]:
    """Have a file say who serves where, while the block lasts."""
    if path is None:
        yield
        return
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps({"pid": os.getpid(), "url": url}), encoding="utf-8")
    part.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
