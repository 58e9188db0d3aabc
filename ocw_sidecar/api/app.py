"""Puts the application together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from ocw_sidecar.api.answers import errors_as_json
from ocw_sidecar.api.authentication import Signatures, authentication
from ocw_sidecar.api.batches import Batches
from ocw_sidecar.api.bearers import Bearers
from ocw_sidecar.api.connections import CONNECTIONS, Connections, noting
from ocw_sidecar.api.erasures import Erasures
from ocw_sidecar.api.health import Health
from ocw_sidecar.api.limits import Limits
from ocw_sidecar.api.openapi import DESCRIPTION, describe, serving
from ocw_sidecar.api.operators import Controllers, Operators, Readers
from ocw_sidecar.api.patients import PatientHandlers
from ocw_sidecar.api.records import Failures, Records
from ocw_sidecar.api.releases import ReleaseNews, Releases
from ocw_sidecar.api.requests import MAX_JSON_BYTES
from ocw_sidecar.api.reseals import Reseals
from ocw_sidecar.api.submissions import Submissions
from ocw_sidecar.api.table import Handlers, table
from ocw_sidecar.api.threats import ThreatHandlers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.api.routes import Route
    from ocw_sidecar.background.audit_log import AuditLog
    from ocw_sidecar.background.port import ThreatTables
    from ocw_sidecar.callers.port import Callers
    from ocw_sidecar.ledger.port import Ledger
    from ocw_sidecar.metrics import Metrics
    from ocw_sidecar.notifications.port import Notices, Outbox
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.compaction import CompactionBook
    from ocw_sidecar.pipeline.erasing import Eraser
    from ocw_sidecar.pipeline.intake import Intake
    from ocw_sidecar.pipeline.patients import Patients
    from ocw_sidecar.pipeline.search import Search


@dataclass(frozen=True, kw_only=True, slots=True)
class Api:
    """What the API works with."""

    bench: Bench
    intake: Intake
    callers: Callers
    patients: Patients
    search: Search
    eraser: Eraser
    compaction: CompactionBook  #: takes wishes to have records sealed anew
    threats: ThreatTables
    audit: AuditLog
    metrics: Metrics | None = None
    ledger: Ledger | None = None  #: has what is in escrow
    outbox: Outbox | None = None  #: has what could not be delivered
    notices: Notices | None = None  #: takes what is told of releases
    more: Sequence[Route] = ()  #: of other parts of the sidecar


def build_app(api: Api) -> web.Application:
    """Return the application; content is streamed, so `client_max_size` bounds the small bodies only."""
    settings, ports = api.bench.settings, api.bench.ports
    limits = Limits(settings.api)
    operators = Operators(ports.chain, settings.organisation)
    guard = authentication(
        Bearers(api.callers, limits, ports.now), Signatures(api.bench, api.callers, limits, operators)
    )
    connections = Connections()
    app = web.Application(
        middlewares=[noting(connections), errors_as_json, guard], client_max_size=MAX_JSON_BYTES
    )
    app[CONNECTIONS] = connections
    routes = [*table(_handlers(api, limits, operators)), *api.more]
    description = describe([*routes, serving({})])
    app[DESCRIPTION] = description
    routes.append(serving(description))
    app.add_routes([route.definition(limits) for route in routes])
    return app


def _handlers(api: Api, limits: Limits, operators: Operators) -> Handlers:
    bench = api.bench
    controllers = Controllers(bench.ports.chain, operators)
    news = None if api.notices is None else ReleaseNews(controllers, api.notices)
    erasures = Erasures(bench, api.eraser, limits)
    readers = Readers(bench.ports.chain, operators)
    return Handlers(
        submissions=Submissions(bench, api.intake, api.search, limits),
        batches=Batches(bench, api.intake, limits),
        patients=PatientHandlers(bench, api.patients),
        records=Records(bench, readers, limits, api.ledger, erasures=erasures, news=news),
        releases=Releases(bench, api.search, controllers),
        erasures=erasures,
        reseals=Reseals(bench, api.compaction, erasures, limits),
        threats=ThreatHandlers(bench, api.threats, api.audit),
        failures=Failures(bench, api.outbox),
        health=Health(bench, api.intake, metrics=api.metrics, outbox=api.outbox),
    )
