"""Puts the background tasks together on an open database; light, since cron starts them anew each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.errors import CaregridError
from ocw_sidecar.adapters.sql.clock import SqlBlockLog
from ocw_sidecar.adapters.sql.patients import SqlPatients
from ocw_sidecar.adapters.sql.threats import SqlThreatTables
from ocw_sidecar.background.audit_log import AuditLog
from ocw_sidecar.ports import utc_now
from ocw_sidecar.workers.background.tasks import Tasks

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.ports import ChainPorts
    from ocw_sidecar.settings import Settings


def make_background(
    settings: Settings, database: Database, ports: ChainPorts | CaregridError | None
) -> Tasks:
    """Return the background tasks on an open database; see `Tasks.ports`."""
    now = utc_now if ports is None or isinstance(ports, CaregridError) else ports.now
    return Tasks(
        tables=SqlThreatTables(database, settings.organisation),
        patients=SqlPatients(database),
        settings=settings.background,
        organisation=settings.organisation,
        now=now,
        ports=ports,
        audit=AuditLog(settings.logs_path, now=now),
    )


async def followed_chain(settings: Settings, database: Database) -> bytes | None:
    """Return block 0 of the chain that was followed before; None before the first start."""
    log = SqlBlockLog(database, organisation=settings.organisation, now=utc_now, folds=[])
    position = await log.position()
    return None if position is None else position.genesis
