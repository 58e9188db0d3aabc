"""What follows from a round: repairs, tags for nodes that have none, the nodes' records, and figures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.chain.port import AuditOutcome
from caregrid.errors import CaregridError
from ocw_sidecar.ledger.proofs import NodeRecord
from ocw_sidecar.pipeline.faults import reason_of
from ocw_sidecar.workers.proof_course import by_node, counted, riskiest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain.port import IntegrityReport
    from ocw_sidecar.ledger.proofs import ProvedObject
    from ocw_sidecar.workers.desk import Desk
    from ocw_sidecar.workers.proof_course import Conclusion, Heard

#: Records of nodes that are kept; of more, those that were seen last.
MAX_NODES: Final = 10_000
#: A longer name is nobody's.
MAX_NAME_LEN: Final = 128
#: A look at the gateway's list of fragments.
NAMES_TIMEOUT_S: Final = 30.0
#: Overdue objects that are counted; of more it is enough to know that they are many.
MAX_OVERDUE: Final = 10_000

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One round of one object."""

    heard: Heard
    conclusion: Conclusion
    report: IntegrityReport
    after: ProvedObject  #: what is to be noted of the object; its risk is not yet that of the nodes


class FollowUp:
    """Sees to it, and notes at the very end: what a crash cuts short is asked again."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._book, self._ports = desk, desk.proofs, desk.bench.ports
        self._settings = desk.bench.settings.workers.integrity

    async def see_to(self, rounds: Sequence[Round]) -> int:
        """Do what rounds ask for; return how many objects were repaired."""
        repaired = 0
        for each in rounds:
            nodes = await self._nodes(each.report.object_id)
            if each.conclusion.repair:
                repaired += await self._repair(each.report)
            if each.conclusion.tag:
                await self._book.tag_again(each.report.object_id, now=self._ports.now())
            risk = await self._count(each, nodes)
            await self._book.note_round(replace(each.after, risk=risk))
            self._desk.metrics.proof_round(str(each.report.scheme), str(each.report.outcome))
        return repaired

    async def measure(self, height: int) -> None:
        """Set the gauges."""
        counts = await self._book.counts()
        before = height - self._settings.period_blocks
        overdue = await self._book.overdue(before, MAX_OVERDUE) if before > 0 else 0
        self._desk.metrics.proofs(
            proved=counts.proved, waiting=counts.waiting, contained=counts.open, overdue=overdue
        )
        if overdue:
            log.warning("proofs_overdue", objects=overdue)

    async def _nodes(self, object_id: bytes) -> dict[int, str]:
        try:
            async with asyncio.timeout(NAMES_TIMEOUT_S):
                segments = await self._ports.store.fragments(object_id)
        except (TimeoutError, CaregridError) as exc:
            log.warning("nodes_unknown", object=object_id.hex(), reason=reason_of(exc))
            return {}
        fragments = [each for segment in segments or () for each in segment.fragments]
        return {
            number: each.node for number, each in enumerate(fragments) if 0 < len(each.node) <= MAX_NAME_LEN
        }

    async def _count(self, each: Round, nodes: Mapping[int, str]) -> int:
        """Note how the nodes answered; return the risk of the object."""
        told, names = by_node(each.heard, nodes), set(nodes.values())
        known = await self._book.nodes(sorted(names))
        after = {node: counted(known.get(node, NodeRecord()), finding) for node, finding in told.items()}
        if after:
            await self._book.note_nodes(after, height=each.after.round_at, keep=MAX_NODES)
        return riskiest(names, {**known, **after})

    async def _repair(self, report: IntegrityReport) -> bool:
        proved_wrong = report.outcome is AuditOutcome.FAILED
        log.error("proof_failed" if proved_wrong else "fragments_missing", object=report.object_id.hex())
        try:
            async with asyncio.timeout(self._settings.repair_timeout_s):
                repair = await self._ports.store.repair(report.object_id)
        except (TimeoutError, CaregridError) as exc:
            log.warning("object_not_repaired", object=report.object_id.hex(), reason=reason_of(exc))
            return False
        if repair is not None:
            log.info("object_repaired", object=report.object_id.hex(), rebuilt=repair.rebuilt)
        return repair is not None
