"""What every step works with, and how every step treats faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import structlog

from caregrid.errors import Recoverable
from ocw_sidecar.pipeline.backoff import RetryAt
from ocw_sidecar.pipeline.faults import UNEXPECTED, place_of, policy_for, reason_of
from ocw_sidecar.pipeline.queue import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ocw_sidecar.pipeline.bells import Bells
    from ocw_sidecar.pipeline.items import Job
    from ocw_sidecar.pipeline.leases import Leases
    from ocw_sidecar.pipeline.queue import Queue
    from ocw_sidecar.pipeline.spool import Spool
    from ocw_sidecar.ports import Ports
    from ocw_sidecar.settings import Settings

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """The tools that all steps share."""

    settings: Settings
    ports: Ports
    queue: Queue
    spool: Spool
    leases: Leases
    bells: Bells

    async def attempt(self, job: Job, work: Awaitable[T]) -> T | None:
        """Do a job's work; on a fault put the job back or give it up, and return None."""
        try:
            return await work
        except LeaseLost:
            log.warning("lease_lost", stage=job.stage)
        except Exception as exc:  # noqa: BLE001 - one bad item must not stop the others; the log says where
            await self._settle(job, exc)
        return None

    async def _settle(self, job: Job, fault: Exception) -> None:
        try:
            await self._decide(job, fault)
        except LeaseLost:
            log.warning("lease_lost", stage=job.stage)
        except Recoverable as exc:
            # The lease will run out, and the job come back by itself.
            log.warning("fault_not_noted", stage=job.stage, reason=exc.code)

    async def _decide(self, job: Job, fault: Exception) -> None:
        reason, decision = (
            reason_of(fault),
            policy_for(fault).decide(attempt=job.attempt, now=self.ports.now()),
        )
        facts = {"stage": job.stage, "item": job.item.hex(), "attempt": job.attempt, "reason": reason}
        if reason == UNEXPECTED:
            facts |= {"fault": type(fault).__name__, "place": place_of(fault)}
        if isinstance(decision, RetryAt):
            await self.queue.retry(job, due=decision.at, reason=reason)
            log.warning("step_retried", **facts, retry_at=decision.at.isoformat())
        else:
            await self.queue.fail(job, reason=reason)
            log.error("step_failed", **facts)
