"""Clean-up and synchronisation, as the command line and the sidecar run them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import structlog

from caregrid.chain.calls import cleanup_expired_blocks
from caregrid.chain.limits import MAX_CLEANUP, MAX_PAGE
from caregrid.errors import CaregridError, ChainUnreachable
from ocw_sidecar.background.items import Kind, Status
from ocw_sidecar.pipeline.patients import RegistrationState
from ocw_sidecar.pipeline.registering import Registrar
from ocw_sidecar.workers.background.mirror import Mirror
from ocw_sidecar.workers.background.report import Report
from ocw_sidecar.workers.background.sending import Patience, Sending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from caregrid.chain.answers import AnswerCounts
    from caregrid.chain.port import Chain
    from ocw_sidecar.background.audit_log import AuditLog
    from ocw_sidecar.background.port import ThreatTables
    from ocw_sidecar.pipeline.patients import Patients
    from ocw_sidecar.ports import ChainPorts
    from ocw_sidecar.settings.background import BackgroundSettings
    from ocw_sidecar.workers.background.report import Part

#: Calls of one clean-up: 12,800 entries; the chain removes the rest by itself, or the next run does.
MAX_CALLS: Final = 100
#: For counting what is due on the chain.
COUNT_TIMEOUT_S: Final = 120.0

#: Registrations in the words of the other tables.
_PATIENT_STATUS: Final = {
    RegistrationState.PENDING: Status.PENDING,
    RegistrationState.REGISTERED: Status.CONFIRMED,
    RegistrationState.FAILED: Status.FAILED,
}

log = structlog.get_logger()


class Only(StrEnum):
    """What a synchronisation is about, when not about all."""

    PATIENTS = "patients"
    BLOCKS = "blocks"
    SIGNATURES = "signatures"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tasks:
    """What the tasks work with; `ports` of None: the chain is not to be touched."""

    tables: ThreatTables
    patients: Patients
    settings: BackgroundSettings
    organisation: bytes
    now: Callable[[], datetime]
    audit: AuditLog
    ports: ChainPorts | CaregridError | None = None  #: an error: why the chain cannot be used

    async def clean_up(
        self, *, local_only: bool = False, force: bool = False, dry_run: bool = False
    ) -> Report:
        """Remove expired IP blocks on the chain and here; see `caregrid cleanup-expired-blocks`."""
        report = Report(task="cleanup-expired-blocks")
        async with self._audited(report, dry_run=dry_run):
            await self._clean_up(report, local_only=local_only, force=force, dry_run=dry_run)
        log.info("blocks_cleaned_up", result=report.result.name, dry_run=dry_run)
        return report

    async def _clean_up(self, report: Report, *, local_only: bool, force: bool, dry_run: bool) -> None:
        height = None
        if not local_only:
            with report.part("chain") as part:
                height = (await self._reached().chain.finalized_head()).number
                await (self._count_due(part, height) if dry_run else self._clean_chain(part))
        if not report.parts or report.parts[0].ok or force:
            with report.part("local") as part:
                part.found = await self.tables.expired(now=self.now(), height=height)
                if not dry_run:
                    part.done = await self.tables.remove_expired(now=self.now(), height=height)
                else:
                    part.skipped = part.found

    async def synchronise(
        self, *, only: Only | None = None, dry_run: bool = False, patience: Patience | None = None
    ) -> Report:
        """Send what is pending, and take in what others put on the chain; see `caregrid sync-blockchain`."""
        report = Report(task="sync-blockchain")
        chosen = patience or Patience(
            max_retries=self.settings.max_retries, retry_delay_s=self.settings.retry_delay_s
        )
        async with self._audited(report, dry_run=dry_run):
            await self._synchronise(report, only, chosen, dry_run=dry_run)
        log.info("synchronised", result=report.result.name, dry_run=dry_run)
        return report

    async def _synchronise(
        self, report: Report, only: Only | None, chosen: Patience, *, dry_run: bool
    ) -> None:
        if only in {None, Only.PATIENTS}:
            with report.part("patients") as part:
                await self._patients(part, dry_run=dry_run)
        for kind, name in ((Kind.BLOCKS, Only.BLOCKS), (Kind.SIGNATURES, Only.SIGNATURES)):
            if only in {None, name}:
                with report.part(name.value) as part:
                    await self._kind(kind, part, chosen, dry_run=dry_run)
        if only is not Only.PATIENTS:
            with report.part("from-chain") as part:
                if not dry_run:
                    await Mirror(self._reached(), self.tables).run(part)

    @asynccontextmanager
    async def _audited(self, report: Report, *, dry_run: bool) -> AsyncIterator[None]:
        """Have an entry stand before anything is changed, and one of what came of it."""
        before = self._cached()
        if not dry_run:
            await asyncio.to_thread(self.audit.append, report.task, "begun")
        yield
        after = self._cached()
        report.cached = after.since(before) if before is not None and after is not None else None
        if dry_run:
            return
        await asyncio.to_thread(self.audit.append, report.task, report.result.name.lower(), report.figures())

    def _cached(self) -> AnswerCounts | None:
        """Return a copy of what the cache knew of the chain's answers so far; None: there is none."""
        if self.ports is None or isinstance(self.ports, CaregridError) or self.ports.cached is None:
            return None
        return replace(self.ports.cached)

    async def statistics(self) -> list[dict[str, Any]]:
        """Return how many entries of each kind are how far, the oldest age, and the success rate."""
        patients = [
            (_PATIENT_STATUS[each.state].value, each.items, each.oldest)
            for each in await self.patients.counts()
        ]
        counts = await self.tables.counts()
        kinds = {
            kind: [(each.status.value, each.items, each.oldest) for each in counts if each.kind is kind]
            for kind in Kind
        }
        tables = {"patient_registrations": patients, **{kind.value: found for kind, found in kinds.items()}}
        return [_statistics(name, found, self.now()) for name, found in tables.items()]

    async def _kind(self, kind: Kind, part: Part, patience: Patience, *, dry_run: bool) -> None:
        if dry_run:
            counts = await self.tables.counts()
            part.found = sum(
                each.items for each in counts if each.kind is kind and each.status in {"pending", "submitted"}
            )
            part.skipped = part.found
            return
        ports = self._reached()
        await ports.chain.finalized_head()  # without it nothing is claimed at all
        await Sending(ports, self.organisation, self.tables, self.settings).run(kind, part, patience)

    async def _patients(self, part: Part, *, dry_run: bool) -> None:
        due = await self.patients.due(self.settings.max_entries, now=self.now())
        part.found = len(due)
        if dry_run:
            part.skipped = part.found
            return
        ports = self._reached()
        await ports.chain.finalized_head()  # without it nobody's attempts are counted
        registrar = Registrar(ports, self.organisation, self.patients)
        async with asyncio.timeout(self.settings.confirmation_timeout_s):
            while await registrar.run_once():
                pass
        for each in due:
            found = await self.patients.registration(each.patient_id)
            part.done += found is not None and found.state is RegistrationState.REGISTERED
            part.failed += found is not None and found.state is RegistrationState.FAILED
        part.skipped = part.found - part.done - part.failed  # they wait for their next attempt

    async def _clean_chain(self, part: Part) -> None:
        submitter = self._reached().submitter
        for _ in range(MAX_CALLS):
            async with asyncio.timeout(self.settings.confirmation_timeout_s):
                receipt = await submitter.submit(cleanup_expired_blocks(MAX_CLEANUP))
            removed = sum(event.name == "IpBlockExpired" for event in receipt.events)
            part.found, part.done = part.found + removed, part.done + removed
            if removed < MAX_CLEANUP:
                break

    async def _count_due(self, part: Part, height: int) -> None:
        async with asyncio.timeout(COUNT_TIMEOUT_S):
            part.found = part.skipped = await _due_on(self._reached().chain, height)

    def _reached(self) -> ChainPorts:
        if self.ports is None:
            raise ChainUnreachable
        if isinstance(self.ports, CaregridError):
            raise self.ports
        return self.ports


def _statistics(name: str, found: Sequence[tuple[str, int, datetime]], now: datetime) -> dict[str, Any]:
    items = {status.value: 0 for status in Status} | {status: count for status, count, _ in found}
    waiting = [oldest for status, _, oldest in found if status in {Status.PENDING, Status.SUBMITTED}]
    settled = items[Status.CONFIRMED] + items[Status.FAILED]
    return {
        "table": name,
        **items,
        "oldest_waiting_s": round((now - min(waiting)).total_seconds(), 1) if waiting else None,
        "success_rate": round(items[Status.CONFIRMED] / settled, 4) if settled else None,
    }


async def _due_on(chain: Chain, height: int) -> int:
    due, after = 0, None
    while True:
        page = await chain.all_ip_blocks(after=after, limit=MAX_PAGE)
        due += sum(not entry.is_live(height) for entry in page.items)
        if (after := page.next) is None:
            return due
