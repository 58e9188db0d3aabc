"""The API's description as the daemon would serve it, made without starting one."""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ocw_sidecar.adapters.alone import AlwaysLeads, LocalTasks
from ocw_sidecar.api import build_app
from ocw_sidecar.api.openapi import DESCRIPTION
from ocw_sidecar.composition import compose
from ocw_sidecar.daemon import Daemon
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from ocw_sidecar.testing import Rig

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "reference" / "openapi.json"


@asynccontextmanager
async def whole_api(settings: Settings) -> AsyncIterator[tuple[Rig, web.Application]]:
    """Yield a sidecar driven by hand, with everything that its API answers."""
    async with rig(settings) as parts:
        sidecar = compose(
            parts.bench, parts.database, election=AlwaysLeads(), tasks=LocalTasks(), stop=asyncio.Event()
        )
        try:
            yield parts, build_app(Daemon(sidecar, parts.database).api())
        finally:
            await sidecar.close()


def document_text() -> str:
    """Return what `docs/reference/openapi.json` has to hold."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.load(home=Path(folder), organisation=ORGANISATION)
        return asyncio.run(_described(settings))


async def _described(settings: Settings) -> str:
    async with whole_api(settings) as (_, app):
        return json.dumps(app[DESCRIPTION], indent=2) + "\n"
