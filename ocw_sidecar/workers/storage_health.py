"""Looks how well a sample of our objects is stored, and reports it on the chain.

A sample is half the objects that have gone unlooked at for longest, so that each gets its turn, and half
drawn by chance with their ages as weights, so that nobody knows which come next. Where the network does not
tell how many fragments live, nothing is reported but that an object is gone: a health that was not measured
would be an invention.

What has lost too much is repaired: at once where little is left, else when the look before found it so, too,
for a storage node that restarts is back before long and repairing costs a read of the whole object.
"""

from __future__ import annotations

import asyncio
import secrets
from random import SystemRandom
from typing import TYPE_CHECKING, ClassVar, Final

import structlog

from caregrid.chain.calls import MAX_BATCH, report_storage_health
from caregrid.chain.port import FULL_HEALTH, HealthReport
from caregrid.errors import CaregridError, StorageUnreachable
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.pipeline.faults import reason_of
from ocw_sidecar.workers.intervals import IntervalWorker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.storage import ObjectStat, Placement, Repair
    from ocw_sidecar.ledger.items import KnownObject
    from ocw_sidecar.notifications.items import Notice
    from ocw_sidecar.workers.desk import Desk

#: Candidates drawn for each object that is chosen by its age.
DRAWS: Final = 4
#: The same trouble is told again after a day of two-second blocks.
TELL_AGAIN_BLOCKS: Final = 43_200

_random: Final = SystemRandom()

log = structlog.get_logger()


class StorageHealthWorker(IntervalWorker):
    """Measures, reports, and tells of trouble."""

    name: ClassVar[str] = "storage-health"

    def __init__(self, desk: Desk) -> None:
        self._desk, self._ports = desk, desk.bench.ports
        self._settings = desk.bench.settings.workers.storage_health

    async def run(self, height: int) -> Mapping[str, int]:
        """Look at a sample of objects.

        Raises:
            StorageUnreachable: not one of them could be looked at.
        """
        sample = await self._sample(height)
        found = await self._measure_all([each.object_id for each in sample])
        if sample and not found:
            raise StorageUnreachable("no object could be looked at")
        reports = [
            report
            for object_id, stat in found.items()
            if (report := health_report(object_id, stat)) is not None
        ]
        bad = [report for report in reports if self._is_trouble(report)]
        due = [report.object_id for report in bad if await self._is_due(report, height)]
        reported = await self._report(reports, height)
        await self._desk.ledger.note_looked(list(found), height)
        await self._desk.notices.add([self._trouble(report, height) for report in bad])
        repaired = await self._repair_all(due)
        reported += await self._report(repaired, height)
        return {
            "looked": len(found),
            "unreachable": len(sample) - len(found),
            "untold": len(found) - len(reports),
            "reported": reported,
            "troubled": len(bad),
            "repaired": len(repaired),
        }

    async def _sample(self, height: int) -> list[KnownObject]:
        size = self._settings.sample
        chosen = {each.object_id: each for each in await self._desk.ledger.longest_unlooked((size + 1) // 2)}
        pivots = [secrets.token_bytes(32) for _ in range(DRAWS * size)]
        drawn = {each.object_id: each for each in await self._desk.ledger.objects_near(pivots)}
        others = [each for object_id, each in drawn.items() if object_id not in chosen]
        picked = weighted_sample(others, [height - each.looked_at for each in others], size - len(chosen))
        return [*chosen.values(), *picked]

    async def _measure_all(self, object_ids: Sequence[bytes]) -> dict[bytes, ObjectStat | None]:
        found: dict[bytes, ObjectStat | None] = {}
        places = asyncio.Semaphore(self._settings.at_once)

        async def measure(object_id: bytes) -> None:
            async with places:
                try:
                    async with asyncio.timeout(self._settings.timeout_s):
                        found[object_id] = await self._ports.store.stat(object_id)
                except (TimeoutError, CaregridError) as exc:
                    log.warning("object_not_measured", object=object_id.hex(), reason=reason_of(exc))

        async with asyncio.TaskGroup() as group:
            for object_id in object_ids:
                group.create_task(measure(object_id))
        return found

    async def _report(self, reports: Sequence[HealthReport], height: int) -> int:
        """Report what is not reported yet: a run that was cut short may have got that far."""
        due = [report for report in reports if not await self._is_reported(report, height)]
        reported = 0
        for start in range(0, len(due), MAX_BATCH):
            call = report_storage_health(self._desk.organisation, due[start : start + MAX_BATCH])
            receipt = await self._ports.submitter.submit(call)
            reported += sum(event.name == "StorageHealthReported" for event in receipt.events)
        return reported

    async def _is_reported(self, report: HealthReport, height: int) -> bool:
        stored = await self._ports.chain.stored_object(report.object_id)
        if stored is None:
            return True  # it is gone from the chain, and takes no report
        last = stored.health
        told = (report.health, report.replicas, report.nodes)
        return (
            last is not None
            and last.reported_at > height
            and (last.health, last.replicas, last.nodes) == told
        )

    async def _is_due(self, report: HealthReport, height: int) -> bool:
        """Tell whether an object in trouble is to be repaired now, going by what was reported last."""
        if report.health < self._settings.repair_below * FULL_HEALTH:
            return True
        stored = await self._ports.chain.stored_object(report.object_id)
        last = None if stored is None else stored.health
        if last is None or last.reported_at > height:
            return False
        return last.replicas < self._settings.min_replicas or last.nodes < self._settings.min_nodes

    async def _repair_all(self, object_ids: Sequence[bytes]) -> list[HealthReport]:
        """Repair one object after the other; return how those are that could be."""
        attempts = [(object_id, await self._repair(object_id)) for object_id in object_ids]
        return [
            health_of(object_id, repair.placement) for object_id, repair in attempts if repair is not None
        ]

    async def _repair(self, object_id: bytes) -> Repair | None:
        try:
            async with asyncio.timeout(self._settings.repair_timeout_s):
                repair = await self._ports.store.repair(object_id)
        except (TimeoutError, CaregridError) as exc:
            log.warning("object_not_repaired", object=object_id.hex(), reason=reason_of(exc))
            return None
        if repair is not None:
            log.info("object_repaired", object=object_id.hex(), rebuilt=repair.rebuilt)
        return repair

    def _is_trouble(self, report: HealthReport) -> bool:
        return report.replicas < self._settings.min_replicas or report.nodes < self._settings.min_nodes

    def _trouble(self, report: HealthReport, height: int) -> Notice:
        return notice(
            NoticeKind.STORAGE_TROUBLE,
            self._desk.organisation,
            self._ports.now(),
            object=report.object_id.hex(),
            health=report.health,
            replicas=report.replicas,
            nodes=report.nodes,
            block=height - height % TELL_AGAIN_BLOCKS,
        )


def health_report(object_id: bytes, stat: ObjectStat | None) -> HealthReport | None:
    """Return what a look came to; None where the network did not tell.

    Health counts the fragments that live beyond those that are needed, replicas the whole copies' worth.
    """
    if stat is None:
        return HealthReport(object_id=object_id, health=0, replicas=0, nodes=0)
    return None if stat.placement is None else health_of(object_id, stat.placement)


def health_of(object_id: bytes, placement: Placement) -> HealthReport:
    """Return what a placement comes to; see `health_report`."""
    spare = max(0, placement.living - placement.needed)
    return HealthReport(
        object_id=object_id,
        health=FULL_HEALTH * spare // (placement.total - placement.needed),
        replicas=placement.living // placement.needed,
        nodes=placement.nodes,
    )


def weighted_sample(items: Sequence[KnownObject], weights: Sequence[int], count: int) -> list[KnownObject]:
    """Return up to `count` distinct items, drawn by weight (Efraimidis and Spirakis, 2006)."""
    keyed = [(_random.random() ** (1.0 / max(1, weight)), number) for number, weight in enumerate(weights)]
    best = sorted(keyed, reverse=True)[: max(0, count)]
    return [items[number] for _, number in best]
