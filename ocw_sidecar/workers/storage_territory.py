"""Looks whether the territory that objects are stored in is going to run out of space or time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from caregrid.errors import CaregridError, TerritoryUnusable
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.pipeline.faults import reason_of

if TYPE_CHECKING:
    from ocw_sidecar.notifications.items import Notice
    from ocw_sidecar.workers.desk import Desk

log = structlog.get_logger()


async def look(desk: Desk, *, day: int) -> list[Notice]:
    """Return what to tell: that uploads are refused for want of a territory, or will be soon.

    Args:
        desk: what to look with.
        day: the block that the present day began with; the same trouble is told once a day.
    """
    codes = await _warnings(desk)
    if TerritoryUnusable.code not in codes and await _refused(desk):
        codes = [TerritoryUnusable.code, *codes]
    kind, now = NoticeKind.STORAGE_TROUBLE, desk.bench.ports.now()
    return [notice(kind, desk.organisation, now, code=code, block=day) for code in codes]


async def _refused(desk: Desk) -> bool:
    # The only sign on a network that does not tell of territories, and sometimes the first on one that does.
    troubles = await desk.bench.queue.troubles()
    return any(each.reason == TerritoryUnusable.code for each in troubles)


async def _warnings(desk: Desk) -> list[str]:
    ports, settings = desk.bench.ports, desk.bench.settings
    try:
        async with asyncio.timeout(settings.workers.storage_health.timeout_s):
            territory = await ports.store.territory()
    except TerritoryUnusable:
        return [TerritoryUnusable.code]  # it is missing, and where none is required the network says so
    except (TimeoutError, CaregridError) as exc:
        log.warning("territory_not_looked_at", reason=reason_of(exc))
        return []
    if territory is None or territory.unlimited:
        return []
    desk.metrics.territory(total=territory.total, remaining=territory.remaining, deadline=territory.deadline)
    warnings = territory.warnings(ports.now(), settings.storage.territory_limits())
    return [f"TERRITORY_{each.concern.upper()}" for each in warnings]
