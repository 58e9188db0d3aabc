"""received → validated: opens a submission in memory, judges it, and turns it into records."""

from __future__ import annotations

import asyncio
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
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.items import Job, Payload, SealedSubmission, Submission, Verdict

#: Of DICOM the preamble and the magic are looked at, which lie in the first 132 bytes.
OPAQUE_HEAD_BYTES: Final = 4096

#: Parsed FHIR takes about ten times its text, so of texts above this only one is held at a time.
LARGE_TEXT_BYTES: Final = 1 << 20

#: Texts judged at once; Python judges one at a time anyhow, the others read or wait for the disk.
SMALL_AT_ONCE: Final = 4

_HEADER_LEN: Final = 40

log = structlog.get_logger()


class ValidateStep(JobStep):
    """Judges submissions; the valid become sealed records, the invalid are discarded with their outcome."""

    stage = Stage.VALIDATE
    bell = Bell.VALIDATE

    def __init__(self, bench: Bench, *, batch: int = 1) -> None:
        super().__init__(bench, batch=batch)
        self._small = asyncio.Semaphore(SMALL_AT_ONCE)
        self._large = asyncio.Lock()

    async def act(self, job: Job) -> None:
        """Judge one submission and note its records."""
        sealed = await self._bench.queue.sealed_submission(job.item)
        if sealed is None:
            raise ProtocolViolation("the queue has lost a submission, its payload or its key")
        async with self._large if sealed.submission.length > LARGE_TEXT_BYTES else self._small:
            verdict = await asyncio.to_thread(self._judge, sealed)
        reach(CrashPoint.JUDGED)
        freed = await self._note(job, verdict)
        reach(CrashPoint.VALIDATED)
        if freed:
            await asyncio.to_thread(self._bench.spool.remove, freed)
        self._bench.bells.ring(Bell.PACK, Bell.SETTLED)
        log.info("submission_validated", submission=job.item.hex(), rejected=_count_rejected(verdict))

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


def _count_rejected(verdict: Verdict) -> int:
    if isinstance(verdict, AcceptedWhole | RejectedWhole):
        return int(isinstance(verdict, RejectedWhole))
    return sum(isinstance(part, RejectedPart) for part in verdict.parts)
