"""The durable queue as the pipeline sees it.

Every method is one transaction. When it returns, what it changed survives `kill -9` and power loss.
Methods that take a :class:`Job` raise :class:`LeaseLost`, and change nothing, when somebody else holds
it now.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ocw_sidecar.pipeline.items import (
        Anchoring,
        Confirmation,
        Job,
        NewSubmission,
        Pack,
        PackedRecord,
        PackLimits,
        Payload,
        RecordView,
        SealedSubmission,
        Submission,
        Tally,
        Trouble,
        Verdict,
    )
    from ocw_sidecar.pipeline.releases import Ground
    from ocw_sidecar.pipeline.states import RecordState, Stage


class LeaseLost(Exception):
    """The lease ran out and somebody else claimed the job; drop the work, it is in other hands."""


class Queue(ABC):
    """Submissions, records, packs, their payloads and keys, and the jobs that move them."""

    @abstractmethod
    async def add(self, new: NewSubmission) -> Submission:
        """Take a submission in, or return the one that already has this idempotency key."""

    @abstractmethod
    async def add_all(self, news: Sequence[NewSubmission]) -> list[Submission]:
        """Take submissions in, all or none, each as `add` does."""

    @abstractmethod
    async def find_by_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, Submission]:
        """Return the submissions with these idempotency keys, by key."""

    @abstractmethod
    async def submission(self, submission_id: bytes) -> Submission | None:
        """Return one submission."""

    @abstractmethod
    async def sealed_submissions(self, submission_ids: Sequence[bytes]) -> Mapping[bytes, SealedSubmission]:
        """Return submissions by id, with payload and key; those are missing that are discarded."""

    @abstractmethod
    async def records_of(self, submission_id: bytes) -> list[RecordView]:
        """Return a submission's records by ordinal; none before it is validated."""

    @abstractmethod
    async def claim(self, stage: Stage, limit: int, *, now: datetime, until: datetime) -> list[Job]:
        """Lease up to `limit` due jobs, the longest due first."""

    @abstractmethod
    async def extend(self, jobs: Sequence[Job], *, until: datetime) -> None:
        """Keep these leases alive (heartbeat); those that are lost stay lost."""

    @abstractmethod
    async def retry(self, job: Job, *, due: datetime, reason: str) -> None:
        """Give a lease back after a failed attempt."""

    @abstractmethod
    async def fail(self, job: Job, *, reason: str) -> None:
        """Give an item up: it and its open records become `failed`; everything needed for a replay stays."""

    @abstractmethod
    async def release_all(self, *, now: datetime) -> int:
        """Void every lease; only for the sole process on this queue, at its start. Return their number."""

    @abstractmethod
    async def replay_failed(self, *, now: datetime) -> int:
        """Put everything that is `failed` back to where it failed; return the number of new jobs."""

    @abstractmethod
    async def payloads(self, ids: Sequence[bytes]) -> Mapping[bytes, Payload]:
        """Return where sealed bytes are, by submission or record id."""

    @abstractmethod
    async def finish_validation(self, job: Job, verdict: Verdict, *, now: datetime) -> list[str]:
        """Turn a submission into records; return the spool files that nobody needs any more."""

    @abstractmethod
    async def originals(self, fingerprints: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the first confirmed record with each of these fingerprints, if its key is there."""

    @abstractmethod
    async def fingerprint_key(self, wrapped: bytes, *, instead_of: bytes | None = None) -> bytes:
        """Return the wrapped key of fingerprints that all processes share; at first this one.

        Args:
            wrapped: is kept where there is none yet.
            instead_of: one that does not open any more, in whose place `wrapped` is kept.
        """

    @abstractmethod
    async def plan_pack(self, limits: PackLimits, *, now: datetime) -> bytes | None:
        """Give sealed records places in a new pack, if one is due; return its id."""

    @abstractmethod
    async def pack(self, pack_id: bytes) -> Pack | None:
        """Return one pack."""

    @abstractmethod
    async def pack_records(self, pack_id: bytes, state: RecordState | None = None) -> list[PackedRecord]:
        """Return a pack's records by offset, all or those in one state."""

    @abstractmethod
    async def finish_assembly(
        self, job: Job, *, object_id: bytes, manifest_root: bytes, now: datetime
    ) -> None:
        """Note the file id of a pack whose file is on disk."""

    @abstractmethod
    async def finish_storing(self, job: Job, *, now: datetime) -> None:
        """Note that a pack lies in storage."""

    @abstractmethod
    async def note_anchoring(self, job: Job, outcome: Anchoring, *, now: datetime) -> int:
        """Note what became of a pack's calls; return how many records still wait for one.

        With none left the pack is `anchored`, and the job is done; otherwise the lease goes on.
        """

    @abstractmethod
    async def finish_confirmation(self, job: Job, outcome: Confirmation, *, now: datetime) -> list[str]:
        """Note what the finalized head says, forget confirmed payloads; return spool files not needed now."""

    @abstractmethod
    async def releasable_key(self, record_id: bytes) -> bytes | None:
        """Return the wrapped data key of an accepted record."""

    @abstractmethod
    async def note_release(self, record_id: bytes, account: bytes, *, ground: Ground, now: datetime) -> None:
        """Log that a record's data key is handed to an account, before it is."""

    @abstractmethod
    async def tallies(self) -> list[Tally]:
        """Return the number and bytes of all items by state, in constant time."""

    @abstractmethod
    async def oldest_open(self) -> datetime | None:
        """Return since when the oldest unconfirmed item waits."""

    @abstractmethod
    async def troubles(self) -> list[Trouble]:
        """Return what jobs failed with at their last attempt, where they have not succeeded since."""

    @abstractmethod
    async def spool_files(self) -> set[str]:
        """Return the names of all spool files in use."""

    @abstractmethod
    async def open_packs(self) -> set[bytes]:
        """Return the ids of packs whose file may be needed."""
