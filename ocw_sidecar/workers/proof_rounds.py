"""Rounds of proofs: which objects are asked, by which scheme, and what is reported of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import structlog

from caregrid import auditing
from caregrid.chain.port import IntegrityReport, ProofScheme
from caregrid.errors import CaregridError, CommitmentUnknown, ObjectUnknown, StorageUnreachable
from caregrid.proofs import schedule
from caregrid.proofs.tag_list import TagList
from caregrid.proofs.verdict import Finding
from ocw_sidecar.ledger.items import Bundle
from ocw_sidecar.pipeline.faults import reason_of
from ocw_sidecar.workers.integrity_reports import Reports
from ocw_sidecar.workers.proof_asking import TERMS, ask_private, ask_public
from ocw_sidecar.workers.proof_choice import choose, share_of
from ocw_sidecar.workers.proof_course import conclude, worst_of
from ocw_sidecar.workers.proof_followup import FollowUp, Round

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.auditing import Committed
    from caregrid.proofs.beacon import Beacon
    from ocw_sidecar.ledger.proofs import ProvedObject
    from ocw_sidecar.ports import Proving
    from ocw_sidecar.workers.desk import Desk
    from ocw_sidecar.workers.proof_asking import Asked

#: Twelve fragments, four at once, each within its own deadline, by both schemes.
ROUND_TIMEOUT_S: Final = 300.0

log = structlog.get_logger()


class ProofRounds:
    """Asks the objects whose turn it is."""

    def __init__(self, desk: Desk, proving: Proving) -> None:
        self._desk, self._book, self._proving = desk, desk.proofs, proving
        self._ports, self._reports, self._follow_up = desk.bench.ports, Reports(desk), FollowUp(desk)
        self._settings = desk.bench.settings.workers.integrity

    async def run(self, height: int) -> Mapping[str, int]:
        """Ask a subset as of a block; return how many there were by outcome.

        Raises:
            StorageUnreachable: not one of them could be asked.
        """
        settings, counts = self._settings, await self._book.counts()
        share = share_of(
            counts.proved,
            budget=settings.budget // TERMS.fragments,
            every=self._desk.bench.settings.clock.integrity_every,
            period=settings.period_blocks,
        )
        due = await choose(self._book, share, height)
        tried = [await self._tried(each, height) for each in due]
        rounds = [each for each in tried if isinstance(each, Round)]
        unknown = sum(isinstance(each, str) for each in tried)
        await self._follow_up.measure(height)
        if unknown and not rounds:
            raise StorageUnreachable("no object could be asked for proofs")
        reported = await self._reports.submit([each.report for each in rounds])
        await self._reports.tell([each.report for each in rounds])
        repaired = await self._follow_up.see_to(rounds)
        done = Counter(each.report.outcome.value.lower() for each in rounds)
        done += Counter(checked=unknown + len(rounds), reported=reported, repaired=repaired, unknown=unknown)
        return done

    async def _tried(self, proved: ProvedObject, height: int) -> Round | str | None:
        """Return the round, or why there is none; None of an object that the chain has not got any more."""
        try:
            async with asyncio.timeout(ROUND_TIMEOUT_S):
                return await self._round(proved, height)
        except ObjectUnknown:
            await self._book.end(proved.object_id)
            return None
        except CommitmentUnknown:
            await self._book.tag_again(proved.object_id, now=self._ports.now())
            reason = CommitmentUnknown.code
        except (TimeoutError, CaregridError) as exc:
            reason = reason_of(exc)
        log.warning("object_not_asked", object=proved.object_id.hex(), reason=reason)
        # It has had its turn: what cannot be asked must not keep the others waiting.
        await self._book.note_round(replace(proved, round_at=_last_round(height)))
        return reason

    async def _round(self, proved: ProvedObject, height: int) -> Round:
        known = await auditing.committed(self._ports.chain, proved.object_id)
        proved = _opened(proved, known.proof.committed_at)
        at = _last_round(height) if proved.open_at is None else proved.open_at
        beacon = await auditing.beacon_at(self._ports.chain, known, at)
        asked = await self._asked(proved, known, beacon)
        kept = Bundle(
            digest=sha256(asked.evidence).digest(),
            object_id=proved.object_id,
            challenged_at=at,
            body=asked.evidence,
        )
        await self._desk.ledger.keep_bundle(kept, keep=self._settings.keep_bundles)
        conclusion = conclude(asked.heard, misses=proved.misses, limit=self._settings.contained_limit)
        report = IntegrityReport(
            object_id=proved.object_id,
            scheme=asked.scheme,
            outcome=conclusion.outcome,
            challenged_at=at,
            proof_digest=kept.digest,
        )
        after = replace(
            proved,
            round_at=_last_round(height),
            public_at=at if asked.scheme is ProofScheme.PUBLIC else proved.public_at,
            open_at=at if conclusion.ask_again else None,
            misses=proved.misses + 1 if conclusion.ask_again else 0,
        )
        return Round(heard=asked.heard, conclusion=conclusion, report=report, after=after)

    async def _asked(self, proved: ProvedObject, known: Committed, beacon: Beacon) -> Asked:
        """Ask by the scheme whose turn it is; after a wrong private proof the public one decides."""
        own = await self._tags(proved.object_id, ProofScheme.PRIVATE)
        if own is not None and not self._is_public(proved, beacon.height):
            asked = await ask_private(self._proving, beacon, own)
            if worst_of(asked.heard.findings.values()) is not Finding.FAILED:
                return asked
            log.warning("object_suspected", object=proved.object_id.hex(), round=beacon.height)
        tags = await self._tags(proved.object_id, ProofScheme.PUBLIC)
        if tags is None:
            raise CommitmentUnknown
        return await ask_public(self._proving, known, beacon, tags)

    def _is_public(self, proved: ProvedObject, height: int) -> bool:
        due = proved.public_at + self._settings.public_every <= height
        return due or not proved.public_at or proved.open_at is not None

    async def _tags(self, object_id: bytes, scheme: ProofScheme) -> TagList | None:
        encoded = await self._book.tags(object_id, scheme)
        return None if encoded is None else TagList.decode(encoded)


def _opened(proved: ProvedObject, committed_at: int) -> ProvedObject:
    # A new commitment, made by hand, ends the rounds of the old one.
    if proved.open_at is None or schedule.is_round(proved.open_at, committed_at):
        return proved
    return replace(proved, open_at=None, misses=0)


def _last_round(height: int) -> int:
    return height // schedule.ROUND_BLOCKS * schedule.ROUND_BLOCKS
