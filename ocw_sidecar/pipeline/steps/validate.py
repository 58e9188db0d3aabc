"""received → validated: opens a submission in memory, judges it, and turns it into records."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import DatabaseUnreachable, ProtocolViolation, WrongKey
from caregrid.sealed import new_data_key, open_range, open_sealed, plain_length, sealed_range
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import CrashPoint, reach
from ocw_sidecar.pipeline.fingerprints import KEY_ID, Fingerprints
from ocw_sidecar.pipeline.gathering import Gathered
from ocw_sidecar.pipeline.intake import OPAQUE_FORMATS
from ocw_sidecar.pipeline.items import (
    AcceptedWhole,
    DuplicatePart,
    DuplicateWhole,
    Parts,
    RejectedPart,
    RejectedWhole,
)
from ocw_sidecar.pipeline.judging import Bundled, Judge, Whole, judge_text
from ocw_sidecar.pipeline.splitting import settle, spool_files
from ocw_sidecar.pipeline.states import Stage
from ocw_sidecar.pipeline.steps.base import JobStep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.items import Job, Payload, SealedSubmission, Submission, Verdict
    from ocw_sidecar.pipeline.judging import Judged

#: Of DICOM the header up to the series is looked at, which long sequences before it seldom push further.
OPAQUE_HEAD_BYTES: Final = 64 * 1024

_HEADER_LEN: Final = 40

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationLimits:
    """How much is judged at once."""

    batch: int  #: submissions that are leased together
    at_once: int  #: texts; Python judges one at a time anyhow, the others read or wait for the disk
    large_text: int  #: bytes; of longer texts one at a time, since parsed FHIR takes ten times its text
    deduplicate: bool = True  #: what says the same as a final record of the patient becomes none
    require_answers: bool = False  #: what a terminology server should have been heard about waits for it


class ValidateStep(JobStep):
    """Judges submissions; the valid become sealed records, the invalid are discarded with their outcome."""

    stage = Stage.VALIDATE
    bell = Bell.VALIDATE

    def __init__(
        self,
        bench: Bench,
        limits: ValidationLimits,
        told: Callable[[Verdict], None] = lambda _: None,
    ) -> None:
        """Take what bounds the work, and who is told of each verdict that was noted."""
        super().__init__(bench, batch=limits.batch)
        self._limits, self._told = limits, told
        self._print_key: bytes | None = None
        self._small = asyncio.Semaphore(limits.at_once)
        self._large = asyncio.Lock()
        self._sealed = Gathered(self._find_all, most=limits.batch)
        self._originals = Gathered(self._find_originals, most=limits.batch)

    async def act(self, job: Job) -> None:
        """Judge one submission and note its records."""
        sealed = await self._sealed(job.item)
        if sealed is None:
            raise ProtocolViolation("the queue has lost a submission, its payload or its key")
        prints = await self._fingerprints(sealed.submission)
        large = sealed.submission.length > self._limits.large_text
        async with self._large if large else self._small:
            judged = await asyncio.to_thread(self._judge, sealed, prints)
            verdict = await self._settled(judged)
        reach(CrashPoint.JUDGED)
        freed = await self._note(job, verdict)
        reach(CrashPoint.VALIDATED)
        if freed:
            await asyncio.to_thread(self._bench.spool.remove, freed)
        self._told(verdict)
        self._bench.bells.ring(Bell.PACK, Bell.SETTLED)
        log.info("submission_validated", submission=job.item.hex(), rejected=count_rejected(verdict))

    async def _find_all(self, ids: Sequence[bytes]) -> list[SealedSubmission | None]:
        found = await self._bench.queue.sealed_submissions(ids)
        return [found.get(each) for each in ids]

    async def _find_originals(self, waiting: Sequence[Sequence[bytes]]) -> list[Mapping[bytes, bytes]]:
        found = await self._bench.queue.originals([each for some in waiting for each in some])
        return [found] * len(waiting)

    async def _note(self, job: Job, verdict: Verdict) -> list[str]:
        try:
            return await self._bench.queue.finish_validation(job, verdict, now=self._bench.ports.now())
        except DatabaseUnreachable:
            raise  # it may have been noted; if it was not, a sweep takes the parts
        except Exception:
            await asyncio.to_thread(self._bench.spool.remove, spool_files(verdict))
            raise

    async def _fingerprints(self, submission: Submission) -> Fingerprints | None:
        if not self._limits.deduplicate or submission.format in OPAQUE_FORMATS:
            return None
        if self._print_key is None:
            self._print_key = await self._shared_key()
        return Fingerprints(key=self._print_key, patient_id=submission.patient_id, format=submission.format)

    async def _shared_key(self) -> bytes:
        store, queue = self._bench.ports.key_store, self._bench.queue
        key = new_data_key()
        ours = await asyncio.to_thread(store.wrap, KEY_ID, key)
        kept = await queue.fingerprint_key(ours)
        if kept == ours:
            return key
        try:
            return await asyncio.to_thread(store.unwrap, KEY_ID, kept)
        except WrongKey:
            # The master key is another one now: what was known by the old key is not known again.
            kept = await queue.fingerprint_key(ours, instead_of=kept)
        return key if kept == ours else await asyncio.to_thread(store.unwrap, KEY_ID, kept)

    def _judge(self, sealed: SealedSubmission, prints: Fingerprints | None) -> Judged | AcceptedWhole:
        ports, submission = self._bench.ports, sealed.submission
        data_key = ports.key_store.unwrap(submission.submission_id, sealed.wrapped_key)
        if submission.format in OPAQUE_FORMATS and submission.media_type is None:
            head = self._open_head(submission, sealed.payload, data_key)
            verdict = ports.validator.validate(head, submission.format)
            return AcceptedWhole() if verdict.valid else RejectedWhole(outcome=verdict.outcome)
        content = open_sealed(data_key, submission.submission_id, self._bench.spool.read(sealed.payload))
        if submission.media_type is not None:
            return judge_text(content, submission.media_type) or AcceptedWhole()
        judge = Judge(
            validator=ports.validator,
            now=ports.now(),
            pseudonyms=ports.pseudonyms,
            require_answers=self._limits.require_answers,
        )
        return judge.judge(content, submission.format, prints)

    async def _settled(self, judged: Judged | AcceptedWhole) -> Verdict:
        if isinstance(judged, AcceptedWhole | RejectedWhole):
            return judged
        originals = await self._originals(_fingerprints_of(judged))
        ports, spool = self._bench.ports, self._bench.spool
        if isinstance(judged, Whole) and judged.pseudonyms is None:
            return settle(judged, originals, ports, spool)  # nothing is left to be sealed
        return await asyncio.to_thread(settle, judged, originals, ports, spool)

    def _open_head(self, submission: Submission, payload: Payload, data_key: bytes) -> bytes:
        length = min(OPAQUE_HEAD_BYTES, plain_length(submission.length))
        wanted = sealed_range(submission.length, 0, length)
        sealed = self._bench.spool.head(payload, wanted.length)
        return open_range(
            data_key, submission.submission_id, wanted, header=sealed[:_HEADER_LEN], sealed=sealed
        )


def _fingerprints_of(judged: Whole | Bundled) -> list[bytes]:
    if isinstance(judged, Whole):
        return [] if judged.fingerprint is None else [judged.fingerprint]
    return list(judged.fingerprints.values())


def count_rejected(verdict: Verdict) -> int:
    """Return how many records a verdict refuses."""
    if isinstance(verdict, Parts):
        return sum(isinstance(part, RejectedPart) for part in verdict.parts)
    return int(isinstance(verdict, RejectedWhole))


def count_duplicates(verdict: Verdict) -> int:
    """Return how many records a verdict finds to be there already."""
    if isinstance(verdict, Parts):
        return sum(isinstance(part, DuplicatePart) for part in verdict.parts)
    return int(isinstance(verdict, DuplicateWhole))


def count_accepted(verdict: Verdict) -> int:
    """Return how many records a verdict lets pass."""
    whole = len(verdict.parts) if isinstance(verdict, Parts) else 1
    return whole - count_rejected(verdict) - count_duplicates(verdict)
