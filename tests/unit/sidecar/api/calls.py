"""What the API's tests send."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aiohttp.test_utils import TestClient, TestServer

from ocw_sidecar.adapters.sql.callers import SqlCallers
from ocw_sidecar.adapters.sql.compaction import SqlCompactionBook
from ocw_sidecar.adapters.sql.patients import SqlPatients
from ocw_sidecar.adapters.sql.search import SqlSearch
from ocw_sidecar.adapters.sql.threats import SqlThreatTables
from ocw_sidecar.api import Api, build_app
from ocw_sidecar.api.connections import SERVER_OPTIONS
from ocw_sidecar.background.audit_log import AuditLog
from ocw_sidecar.callers.items import ALL_SCOPES
from ocw_sidecar.callers.tokens import draw_token
from ocw_sidecar.composition import make_eraser
from ocw_sidecar.settings.api import ApiSettings
from ocw_sidecar.testing import PATIENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from aiohttp import web

    from ocw_sidecar.callers.items import Scope
    from ocw_sidecar.ledger.port import Ledger
    from ocw_sidecar.metrics import Metrics
    from ocw_sidecar.notifications.port import Notices
    from ocw_sidecar.testing import Rig

    Client = TestClient[web.Request, web.Application]

OBSERVATION: Final = b'{"resourceType": "Observation", "status": "final", "code": {"text": "Heart rate"}}'
FHIR: Final = {"Content-Type": "application/fhir+json", "X-CareGrid-Patient": PATIENT.hex()}


@asynccontextmanager
async def serving(
    sidecar: Rig,
    *,
    headers: Mapping[str, str] | None = None,
    metrics: Metrics | None = None,
    ledger: Ledger | None = None,
    notices: Notices | None = None,
    **api: Any,
) -> AsyncIterator[Client]:
    """Serve the API on a sidecar's parts, with settings of its own, and yield a client."""
    server = TestServer(app_of(sidecar, metrics=metrics, ledger=ledger, notices=notices, **api))
    await server.start_server(**SERVER_OPTIONS)
    async with TestClient(server, headers=headers) as opened:
        yield opened


def app_of(
    sidecar: Rig,
    *,
    metrics: Metrics | None = None,
    ledger: Ledger | None = None,
    notices: Notices | None = None,
    **api: Any,
) -> web.Application:
    """Return the application on a sidecar's parts, with settings of its own."""
    database = sidecar.database
    settings = sidecar.bench.settings.model_copy(update={"api": ApiSettings(**api)})
    return build_app(
        Api(
            bench=replace(sidecar.bench, settings=settings),
            intake=sidecar.intake,
            callers=SqlCallers(database),
            patients=SqlPatients(database),
            search=SqlSearch(database),
            eraser=make_eraser(sidecar.bench, database),
            compaction=SqlCompactionBook(database),
            threats=SqlThreatTables(database, settings.organisation),
            audit=AuditLog(settings.logs_path, now=sidecar.bench.ports.now),
            metrics=metrics,
            ledger=ledger,
            notices=notices,
        )
    )


async def token_for(
    sidecar: Rig,
    *scopes: Scope,
    account: bytes | None = None,
    expires_at: datetime | None = None,
) -> dict[str, str]:
    """Return the header of a new token; without scopes one that has them all."""
    text, kept = draw_token(
        now=sidecar.bench.ports.now(),
        scopes=frozenset(scopes) or ALL_SCOPES,
        account=account,
        expires_at=expires_at,
    )
    await SqlCallers(sidecar.database).add(kept)
    return {"Authorization": f"Bearer {text}"}


async def post(client: Client, body: Any = OBSERVATION, **headers: str) -> tuple[int, dict[str, Any]]:
    """POST content and return status and answer."""
    response = await client.post("/v1/submissions", data=body, headers={**FHIR, **headers})
    return response.status, await response.json()


async def get(client: Client, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """GET JSON."""
    response = await client.get(path, **options)
    return response.status, await response.json()


async def confirmed(client: Client, sidecar: Rig, body: bytes = OBSERVATION) -> str:
    """Bring one record to confirmation and return its id in hex."""
    _, answer = await post(client, body)
    await sidecar.drain()
    return str(answer["submission"])
