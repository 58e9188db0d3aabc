"""Checks of a subset of our objects that they are stored and are what was anchored, and reports of it.

Where storage nodes answer challenges of ours they are asked for proofs (`proof_rounds`). What no proof can
be asked of is read: finalized blocks choose records of an object, which are read through the gateway and
compared with the digests on the chain. Where the storage network keeps a record of proofs itself, as CESS
does, that counts beside. What was asked and answered is kept as a bundle, whose digest stands in the report.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import structlog

from caregrid.chain.port import AuditOutcome, IntegrityReport, ProofScheme
from caregrid.errors import CaregridError, FragmentsMissing, ObjectUnknown, StorageUnreachable
from ocw_sidecar.ledger.challenges import MIXED_BLOCKS, Challenge, Reading, bundle_of
from ocw_sidecar.pipeline.faults import reason_of
from ocw_sidecar.workers.integrity_reports import Reports
from ocw_sidecar.workers.intervals import IntervalWorker
from ocw_sidecar.workers.outcomes import combined
from ocw_sidecar.workers.proof_rounds import ProofRounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain.port import Record
    from ocw_sidecar.ledger.items import KnownObject
    from ocw_sidecar.ports import ProofRecord
    from ocw_sidecar.workers.desk import Desk

#: An object holds no more records than this on the chain.
MAX_RECORDS: Final = 65_536

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verdict:
    known: KnownObject
    outcome: AuditOutcome
    contained: bool  #: by our own reading: the same is asked again
    report: IntegrityReport


class IntegrityWorker(IntervalWorker):
    """Challenges the objects that were not asked for longest."""

    name: ClassVar[str] = "integrity"

    def __init__(self, desk: Desk) -> None:
        self._desk, self._ports = desk, desk.bench.ports
        self._settings = desk.bench.settings.workers.integrity
        self._reports, proving = Reports(desk), self._ports.proving
        self._rounds = None if proving is None else ProofRounds(desk, proving)

    async def run(self, height: int) -> Mapping[str, int]:
        """Ask for proofs and read records, a subset of each as of a block.

        Raises:
            StorageUnreachable: no verdict was reached on any object.
        """
        proved = {} if self._rounds is None else await self._rounds.run(height)
        read = await self._read_some(height)
        return {kind: proved.get(kind, 0) + read.get(kind, 0) for kind in (*read, *proved)}

    async def _read_some(self, height: int) -> Mapping[str, int]:
        verdicts = [await self._judge(known, height) for known in await self._due(height)]
        if verdicts and all(each.outcome is AuditOutcome.UNKNOWN for each in verdicts):
            raise StorageUnreachable("no object could be checked")
        reported = await self._reports.submit([each.report for each in verdicts])
        for each in verdicts:
            await self._note(each, height)
        await self._reports.tell([each.report for each in verdicts])
        outcomes = Counter(each.outcome.value.lower() for each in verdicts)
        return {"checked": len(verdicts), "reported": reported, **outcomes}

    async def _due(self, height: int) -> Sequence[KnownObject]:
        if self._rounds is None:
            return await self._desk.ledger.longest_unasked(height, self._settings.sample)
        # Proofs say more than a read; only what no proof can be asked of yet is read.
        return await self._desk.proofs.never_asked(height, self._settings.sample)

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
        return await self._concluded(known, challenge, readings, outcome)

    async def _concluded(
        self, known: KnownObject, challenge: Challenge, readings: Sequence[Reading], ours: AuditOutcome
    ) -> _Verdict:
        record = await self._record(known.object_id)
        outcome = ours if record is None else combined(ours, record.outcome)
        bundle = bundle_of(challenge, readings, outcome, None if record is None else record.facts)
        await self._desk.ledger.keep_bundle(bundle, keep=self._settings.keep_bundles)
        report = IntegrityReport(
            object_id=known.object_id,
            scheme=ProofScheme.NETWORK,
            outcome=outcome,
            challenged_at=challenge.challenged_at,
            proof_digest=bundle.digest,
        )
        contained = ours is AuditOutcome.CONTAINED
        return _Verdict(known=known, outcome=outcome, contained=contained, report=report)

    async def _record(self, object_id: bytes) -> ProofRecord | None:
        if self._ports.proofs is None:
            return None
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._ports.proofs.look(object_id)
        except (TimeoutError, CaregridError) as exc:
            log.warning("proofs_not_looked_at", object=object_id.hex(), reason=reason_of(exc))
            return None

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

    async def _note(self, verdict: _Verdict, height: int) -> None:
        contained = verdict.contained
        await self._desk.ledger.note_asked(
            verdict.known.object_id,
            height,
            contained=verdict.known.contained + 1 if contained else 0,
            contained_at=verdict.report.challenged_at if contained else None,
        )


def _outcome_of(readings: Sequence[Reading]) -> AuditOutcome:
    if not readings:
        return AuditOutcome.UNKNOWN
    wrong = any(reading.is_wrong for reading in readings)
    return AuditOutcome.FAILED if wrong else AuditOutcome.PASSED
