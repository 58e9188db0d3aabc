"""Looks how well a sample of our objects is stored, reports it on the chain, and has repaired what lost much.

Where the network does not tell how many fragments live, nothing is reported but that an object is gone: a
health that was not measured would be an invention. What is in trouble is looked at again in each run until it
is sound.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import structlog

from caregrid.chain.calls import MAX_BATCH, report_storage_health
from caregrid.chain.port import HealthReport
from caregrid.errors import CaregridError, StorageUnreachable
from caregrid.storage.health import GONE, Health, health_of
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.pipeline.faults import reason_of
from ocw_sidecar.workers import storage_sample, storage_territory
from ocw_sidecar.workers.intervals import IntervalWorker
from ocw_sidecar.workers.storage_course import Course, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.storage import ObjectStat, Repair
    from ocw_sidecar.notifications.items import Notice
    from ocw_sidecar.workers.desk import Desk

#: The same trouble is told again after a day of two-second blocks.
TELL_AGAIN_BLOCKS: Final = 43_200

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    object_id: bytes
    health: Health
    verdict: Verdict


class StorageHealthWorker(IntervalWorker):
    """Measures, reports, tells of trouble, and repairs."""

    name: ClassVar[str] = "storage-health"

    def __init__(self, desk: Desk) -> None:
        self._desk, self._ports = desk, desk.bench.ports
        self._settings = desk.bench.settings.workers.storage_health
        self._course = Course.of(self._settings)

    async def run(self, height: int) -> Mapping[str, int]:
        """Look at a sample of objects, and at the territory.

        Raises:
            StorageUnreachable: not one of the objects could be looked at.
        """
        size, book = self._settings.sample, self._desk.storage
        sample = await storage_sample.choose(self._desk.ledger, book, size=size, height=height)
        found = await self._measure_all(sample)
        if sample and not found:
            raise StorageUnreachable("no object could be looked at")
        looks = await self._judge(found, height)
        reported = await self._report([_report_of(each.object_id, each.health) for each in looks], height)
        await self._note(list(found), looks, height)
        await self._tell(looks, height)
        repaired = await self._repair_all([each for each in looks if each.verdict.repair], height)
        reported += await self._report(repaired, height)
        await self._measure_ourselves(looks)
        return {
            "looked": len(found),
            "unreachable": len(sample) - len(found),
            "untold": len(found) - len(looks),
            "reported": reported,
            "troubled": sum(each.verdict.in_trouble for each in looks),
            "repaired": len(repaired),
        }

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

    async def _judge(self, found: Mapping[bytes, ObjectStat | None], height: int) -> list[_Look]:
        known, looks = await self._desk.storage.troubles(list(found)), []
        for object_id, stat in found.items():
            if (health := measured(stat)) is not None:
                verdict = self._course.judge(health, known.get(object_id), height)
                looks.append(_Look(object_id=object_id, health=health, verdict=verdict))
        return looks

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

    async def _note(self, looked: Sequence[bytes], looks: Sequence[_Look], height: int) -> None:
        await self._desk.ledger.note_looked(looked, height)
        troubled = [each.object_id for each in looks if each.verdict.in_trouble]
        sound = [each.object_id for each in looks if not each.verdict.in_trouble]
        await self._desk.storage.note_looks(troubled=troubled, sound=sound, height=height)

    async def _tell(self, looks: Sequence[_Look], height: int) -> None:
        day = height - height % TELL_AGAIN_BLOCKS
        told = [self._trouble(each, day) for each in looks if each.verdict.in_trouble]
        await self._desk.notices.add([*told, *await storage_territory.look(self._desk, day=day)])

    async def _repair_all(self, looks: Sequence[_Look], height: int) -> list[HealthReport]:
        """Repair one object after the other; return how those are that could be."""
        reports = []
        for each in looks:
            # Noted before it is begun: one that takes this process down is not begun again at once.
            await self._desk.storage.note_repair(each.object_id, height)
            repair = await self._repair(each.object_id)
            if repair is not None:
                reports.append(_report_of(each.object_id, health_of(repair.placement)))
        return reports

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

    async def _measure_ourselves(self, looks: Sequence[_Look]) -> None:
        troubled, removals = await self._desk.storage.counts()
        worst = min((each.health.value for each in looks), default=None)
        self._desk.metrics.storage(troubled=troubled, removals=removals, worst_health=worst)

    def _trouble(self, look: _Look, day: int) -> Notice:
        return notice(
            NoticeKind.STORAGE_TROUBLE,
            self._desk.organisation,
            self._ports.now(),
            object=look.object_id.hex(),
            health=look.health.parts_per_million,
            replicas=look.health.whole_replicas,
            nodes=look.health.nodes,
            block=day,
        )


def measured(stat: ObjectStat | None) -> Health | None:
    """Return what a look came to; None where the network did not tell."""
    if stat is None:
        return GONE
    return None if stat.placement is None else health_of(stat.placement)


def _report_of(object_id: bytes, health: Health) -> HealthReport:
    return HealthReport(
        object_id=object_id,
        health=health.parts_per_million,
        replicas=health.whole_replicas,
        nodes=health.nodes,
    )
