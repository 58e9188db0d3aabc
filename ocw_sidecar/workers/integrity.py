"""Checks of a subset of our objects that they can be read and are what was anchored, and reports it.

The first form of the proofs of storage: finalized blocks choose records of an object, which are read through
the gateway and compared with the digests on the chain. What was asked and answered is kept as a bundle, whose
digest stands in the report.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import structlog

from caregrid.chain.calls import MAX_BATCH, report_integrity
from caregrid.chain.port import AuditOutcome, IntegrityReport, ProofScheme
from caregrid.errors import CaregridError, FragmentsMissing, ObjectUnknown, StorageUnreachable
from ocw_sidecar.ledger.challenges import MIXED_BLOCKS, Challenge, Reading, bundle_of
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.pipeline.faults import reason_of
from ocw_sidecar.workers.intervals import IntervalWorker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain.port import Record
    from ocw_sidecar.ledger.items import KnownObject
    from ocw_sidecar.notifications.items import Notice
    from ocw_sidecar.workers.desk import Desk

#: An object holds no more records than this on the chain.
MAX_RECORDS: Final = 65_536

_TROUBLE: Final = frozenset({AuditOutcome.FAILED, AuditOutcome.OFFLINE})

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verdict:
    known: KnownObject
    outcome: AuditOutcome
    report: IntegrityReport


class IntegrityWorker(IntervalWorker):
    """Challenges the objects that were not asked for longest."""

    name: ClassVar[str] = "integrity"

    def __init__(self, desk: Desk) -> None:
        self._desk, self._ports = desk, desk.bench.ports
        self._settings = desk.bench.settings.workers.integrity

    async def run(self, height: int) -> Mapping[str, int]:
        """Challenge a subset as of a block.

        Raises:
            StorageUnreachable: no verdict was reached on any of them.
        """
        due = await self._desk.ledger.longest_unasked(height, self._settings.sample)
        verdicts = [await self._judge(known, height) for known in due]
        if verdicts and all(each.outcome is AuditOutcome.UNKNOWN for each in verdicts):
            raise StorageUnreachable("no object could be checked")
        reported = await self._report([each.report for each in verdicts])
        for each in verdicts:
            await self._note(each, height)
        bad = [each.report for each in verdicts if each.outcome in _TROUBLE]
        await self._desk.notices.add([self._trouble(report) for report in bad])
        outcomes = Counter(each.outcome.value.lower() for each in verdicts)
        return {"checked": len(verdicts), "reported": reported, **outcomes}

    async def _judge(self, known: KnownObject, height: int) -> _Verdict:
        challenge = await self._challenge(known, height)
        readings = list[Reading]()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._read(challenge, readings)
            outcome = _outcome_of(readings)
        except TimeoutError:
            last = known.contained + 1 >= self._settings.contained_limit
            outcome = AuditOutcome.OFFLINE if last else AuditOutcome.CONTAINED
        except (FragmentsMissing, ObjectUnknown):
            outcome = AuditOutcome.OFFLINE
        except CaregridError as exc:
            log.warning("object_not_checked", object=known.object_id.hex(), reason=reason_of(exc))
            outcome = AuditOutcome.UNKNOWN
        bundle = bundle_of(challenge, readings, outcome)
        await self._desk.ledger.keep_bundle(bundle, keep=self._settings.keep_bundles)
        report = IntegrityReport(
            object_id=known.object_id,
            scheme=ProofScheme.NETWORK,
            outcome=outcome,
            challenged_at=challenge.challenged_at,
            proof_digest=bundle.digest,
        )
        return _Verdict(known=known, outcome=outcome, report=report)

    async def _challenge(self, known: KnownObject, height: int) -> Challenge:
        named_after = height if known.contained_at is None else known.contained_at
        numbers = range(max(0, named_after - MIXED_BLOCKS + 1), named_after + 1)
        blocks = [await self._ports.chain.block(number) for number in numbers]
        return Challenge(object_id=known.object_id, blocks=[each for each in blocks if each is not None])

    async def _read(self, challenge: Challenge, readings: list[Reading]) -> None:
        """Read what is asked into `readings`, so that a fault leaves what came before it."""
        ids = await self._desk.ledger.records_of_object(challenge.object_id, MAX_RECORDS)
        drawn = challenge.draw(ids, self._settings.records)
        found = await self._ports.chain.records(drawn)
        left = int(self._settings.read_limit)
        for record in (found[record_id] for record_id in drawn if record_id in found):
            if readings and record.length > left:
                continue
            left -= record.length
            readings.append(Reading(record=record, digest=None))
            readings[-1] = Reading(record=record, digest=await self._digest(record))

    async def _digest(self, record: Record) -> bytes:
        digest = hashlib.sha256()
        async for chunk in self._ports.store.stream_range(record.object_id, record.offset, record.length):
            digest.update(chunk)
        return digest.digest()

    async def _report(self, reports: Sequence[IntegrityReport]) -> int:
        """Report what is not reported yet: a run that was cut short may have got that far."""
        due = [report for report in reports if not await self._is_reported(report)]
        reported = 0
        for start in range(0, len(due), MAX_BATCH):
            call = report_integrity(self._desk.organisation, due[start : start + MAX_BATCH])
            receipt = await self._ports.submitter.submit(call)
            reported += sum(event.name == "IntegrityReported" for event in receipt.events)
        return reported

    async def _is_reported(self, report: IntegrityReport) -> bool:
        stored = await self._ports.chain.stored_object(report.object_id)
        if stored is None:
            return True  # it is gone from the chain, and takes no report
        last = stored.integrity
        told = (report.challenged_at, report.proof_digest)
        return last is not None and (last.challenged_at, last.proof_digest) == told

    async def _note(self, verdict: _Verdict, height: int) -> None:
        contained = verdict.outcome is AuditOutcome.CONTAINED
        await self._desk.ledger.note_asked(
            verdict.known.object_id,
            height,
            contained=verdict.known.contained + 1 if contained else 0,
            contained_at=verdict.report.challenged_at if contained else None,
        )

    def _trouble(self, report: IntegrityReport) -> Notice:
        return notice(
            NoticeKind.STORAGE_TROUBLE,
            self._desk.organisation,
            self._ports.now(),
            object=report.object_id.hex(),
            outcome=str(report.outcome),
            challenged_at=report.challenged_at,
        )


def _outcome_of(readings: Sequence[Reading]) -> AuditOutcome:
    if not readings:
        return AuditOutcome.UNKNOWN
    wrong = any(reading.is_wrong for reading in readings)
    return AuditOutcome.FAILED if wrong else AuditOutcome.PASSED
