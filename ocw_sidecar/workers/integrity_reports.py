"""Reports of checks on the chain, and notices of the trouble that they found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from caregrid.chain.calls import MAX_BATCH, report_integrity
from caregrid.chain.port import AuditOutcome
from ocw_sidecar.notifications.items import NoticeKind, notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import IntegrityReport
    from ocw_sidecar.notifications.items import Notice
    from ocw_sidecar.workers.desk import Desk

_TROUBLE: Final = frozenset({AuditOutcome.FAILED, AuditOutcome.OFFLINE})


class Reports:
    """Sends each report once."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._ports = desk, desk.bench.ports

    async def submit(self, reports: Sequence[IntegrityReport]) -> int:
        """Report what is not reported yet: a run that was cut short may have got that far."""
        due = [report for report in reports if not await self._is_reported(report)]
        reported = 0
        for start in range(0, len(due), MAX_BATCH):
            call = report_integrity(self._desk.organisation, due[start : start + MAX_BATCH])
            receipt = await self._ports.submitter.submit(call)
            reported += sum(event.name == "IntegrityReported" for event in receipt.events)
        return reported

    async def tell(self, reports: Sequence[IntegrityReport]) -> None:
        """Have our people told of those that found trouble."""
        troubled = [report for report in reports if report.outcome in _TROUBLE]
        await self._desk.notices.add([self._trouble(report) for report in troubled])

    async def _is_reported(self, report: IntegrityReport) -> bool:
        stored = await self._ports.chain.stored_object(report.object_id)
        if stored is None:
            return True  # it is gone from the chain, and takes no report
        last = stored.integrity
        told = (report.outcome, report.challenged_at, report.proof_digest)
        return last is not None and (last.outcome, last.challenged_at, last.proof_digest) == told

    def _trouble(self, report: IntegrityReport) -> Notice:
        return notice(
            NoticeKind.STORAGE_TROUBLE,
            self._desk.organisation,
            self._ports.now(),
            object=report.object_id.hex(),
            outcome=str(report.outcome),
            challenged_at=report.challenged_at,
        )
