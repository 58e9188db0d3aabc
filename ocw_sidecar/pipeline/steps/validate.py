"""received → validated: opens a submission in memory, judges it, and turns it into records."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import DatabaseUnreachable, ProtocolViolation
from caregrid.sealed import open_range, open_sealed, plain_length, sealed_range
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import CrashPoint, reach
from ocw_sidecar.pipeline.intake import OPAQUE_FORMATS
from ocw_sidecar.pipeline.items import AcceptedWhole, RejectedPart, RejectedWhole
from ocw_sidecar.pipeline.splitting import judge_resource, spool_files
from ocw_sidecar.pipeline.states import Stage
from ocw_sidecar.pipeline.steps.base import JobStep

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.items import Job, Payload, SealedSubmission, Submission, Verdict

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
        self._large_text, self._told = limits.large_text, told
        self._small = asyncio.Semaphore(limits.at_once)
        self._large = asyncio.Lock()

    async def act(self, job: Job) -> None:
        """Judge one submission and note its records."""
        sealed = await self._bench.queue.sealed_submission(job.item)
        if sealed is None:
            raise ProtocolViolation("the queue has lost a submission, its payload or its key")
        async with self._large if sealed.submission.length > self._large_text else self._small:
            verdict = await asyncio.to_thread(self._judge, sealed)
        reach(CrashPoint.JUDGED)
        freed = await self._note(job, verdict)
        reach(CrashPoint.VALIDATED)
        if freed:
            await asyncio.to_thread(self._bench.spool.remove, freed)
        self._told(verdict)
        self._bench.bells.ring(Bell.PACK, Bell.SETTLED)
        log.info("submission_validated", submission=job.item.hex(), rejected=count_rejected(verdict))

    async def _note(self, job: Job, verdict: Verdict) -> list[str]:
        try:
            return await self._bench.queue.finish_validation(job, verdict, now=self._bench.ports.now())
        except DatabaseUnreachable:
            raise  # it may have been noted; if it was not, a sweep takes the parts
        except Exception:
            await asyncio.to_thread(self._bench.spool.remove, spool_files(verdict))
            raise

    def _judge(self, sealed: SealedSubmission) -> Verdict:
        ports, submission = self._bench.ports, sealed.submission
        data_key = ports.key_store.unwrap(submission.submission_id, sealed.wrapped_key)
        if submission.format in OPAQUE_FORMATS:
            head = self._open_head(submission, sealed.payload, data_key)
            verdict = ports.validator.validate(head, submission.format)
            return AcceptedWhole() if verdict.valid else RejectedWhole(outcome=verdict.outcome)
        content = open_sealed(data_key, submission.submission_id, self._bench.spool.read(sealed.payload))
        return judge_resource(content, submission.format, ports, self._bench.spool)

    def _open_head(self, submission: Submission, payload: Payload, data_key: bytes) -> bytes:
        length = min(OPAQUE_HEAD_BYTES, plain_length(submission.length))
        wanted = sealed_range(submission.length, 0, length)
        sealed = self._bench.spool.head(payload, wanted.length)
        return open_range(
            data_key, submission.submission_id, wanted, header=sealed[:_HEADER_LEN], sealed=sealed
        )


def count_rejected(verdict: Verdict) -> int:
    """Return how many records a verdict refuses."""
    if isinstance(verdict, AcceptedWhole | RejectedWhole):
        return int(isinstance(verdict, RejectedWhole))
    return sum(isinstance(part, RejectedPart) for part in verdict.parts)


def count_accepted(verdict: Verdict) -> int:
    """Return how many records a verdict lets pass."""
    if isinstance(verdict, AcceptedWhole | RejectedWhole):
        return int(isinstance(verdict, AcceptedWhole))
    return len(verdict.parts) - count_rejected(verdict)
