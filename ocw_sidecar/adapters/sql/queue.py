"""The durable queue in a database of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocw_sidecar.adapters.sql import jobs, packs, rows, submissions
from ocw_sidecar.adapters.sql.rows import SQL, from_ms, to_ms
from ocw_sidecar.pipeline.queue import Queue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Database, Row, Session
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


class SqlQueue(Queue):
    """The queue; the database stays open when it is closed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._write, self._read = database.write, database.read

    async def add(self, new: NewSubmission) -> Submission:
        """Take a submission in; see `Queue.add`."""
        return await self._database.write_in_bulk(submissions.add_all, new)

    async def add_all(self, news: Sequence[NewSubmission]) -> list[Submission]:
        """Take submissions in; see `Queue.add_all`."""
        return await self._write(lambda db: submissions.add_all(db, news))

    async def find_by_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, Submission]:
        """Look submissions up; see `Queue.find_by_keys`."""

        def find(db: Session) -> dict[bytes, Submission]:
            found = {key: submissions.find_by_key(db, key) for key in keys}
            return {key: each for key, each in found.items() if each is not None}

        return await self._read(find)

    async def submission(self, submission_id: bytes) -> Submission | None:
        """Look a submission up; see `Queue.submission`."""
        row = await self._row("submission", id=submission_id)
        return None if row is None else rows.submission(row)

    async def sealed_submissions(self, submission_ids: Sequence[bytes]) -> Mapping[bytes, SealedSubmission]:
        """Look submissions up with all that opens them; see `Queue.sealed_submissions`."""

        def find(db: Session) -> list[Row]:
            found = [db.execute(SQL["sealed_submission"], {"id": each}) for each in submission_ids]
            return [row for row in (each.fetchone() for each in found) if row is not None]

        sealed = [rows.sealed_submission(row) for row in await self._read(find)]
        return {each.submission.submission_id: each for each in sealed}

    async def records_of(self, submission_id: bytes) -> list[RecordView]:
        """List a submission's records; see `Queue.records_of`."""
        found = await self._rows("records_of_submission", submission=submission_id)
        return [rows.record_view(row) for row in found]

    async def claim(self, stage: Stage, limit: int, *, now: datetime, until: datetime) -> list[Job]:
        """Lease jobs; see `Queue.claim`."""
        return await self._write(lambda db: jobs.claim(db, stage, limit, now, until))

    async def extend(self, held: Sequence[Job], *, until: datetime) -> None:
        """Keep leases; see `Queue.extend`."""
        await self._write(lambda db: jobs.extend(db, held, until))

    async def retry(self, job: Job, *, due: datetime, reason: str) -> None:
        """Return a lease after a fault; see `Queue.retry`."""
        await self._write(lambda db: jobs.retry(db, job, due, reason))

    async def fail(self, job: Job, *, reason: str) -> None:
        """Give an item up; see `Queue.fail`."""
        await self._write(lambda db: jobs.fail(db, job, reason))

    async def release_all(self, *, now: datetime) -> int:
        """Void every lease; see `Queue.release_all`."""
        return await self._write(lambda db: jobs.release_all(db, now))

    async def replay_failed(self, *, now: datetime) -> int:
        """Give what failed another chance; see `Queue.replay_failed`."""
        return await self._write(lambda db: jobs.replay_failed(db, now))

    async def payloads(self, ids: Sequence[bytes]) -> Mapping[bytes, Payload]:
        """Find sealed bytes; see `Queue.payloads`."""

        def find(db: Session) -> dict[bytes, Payload]:
            found = {key: db.execute(SQL["payload"], {"id": key}).fetchone() for key in ids}
            return {key: rows.payload(row) for key, row in found.items() if row is not None}

        return await self._read(find)

    async def finish_validation(self, job: Job, verdict: Verdict, *, now: datetime) -> list[str]:
        """Turn a submission into records; see `Queue.finish_validation`."""
        return await self._write(lambda db: submissions.finish_validation(db, job, verdict, now))

    async def originals(self, fingerprints: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Look for final records that say the same; see `Queue.originals`."""

        def find(db: Session) -> dict[bytes, bytes]:
            found = {each: submissions.original_of(db, each) for each in fingerprints}
            return {each: original for each, original in found.items() if original is not None}

        return await self._read(find) if fingerprints else {}

    async def fingerprint_key(self, wrapped: bytes, *, instead_of: bytes | None = None) -> bytes:
        """Agree on the key of fingerprints; see `Queue.fingerprint_key`."""
        return await self._write(lambda db: submissions.fingerprint_key(db, wrapped, instead_of))

    async def plan_pack(self, limits: PackLimits, *, now: datetime) -> bytes | None:
        """Plan a pack; see `Queue.plan_pack`."""
        return await self._write(lambda db: packs.plan(db, limits, now))

    async def pack(self, pack_id: bytes) -> Pack | None:
        """Look a pack up; see `Queue.pack`."""
        row = await self._row("pack", id=pack_id)
        return None if row is None else rows.pack(row)

    async def pack_records(self, pack_id: bytes, state: RecordState | None = None) -> list[PackedRecord]:
        """List a pack's records; see `Queue.pack_records`."""
        return [
            rows.packed_record(row) for row in await self._rows("records_of_pack", pack=pack_id, state=state)
        ]

    async def finish_assembly(
        self, job: Job, *, object_id: bytes, manifest_root: bytes, now: datetime
    ) -> None:
        """Note a pack's file id; see `Queue.finish_assembly`."""
        await self._write(lambda db: packs.finish_assembly(db, job, object_id, manifest_root, now))

    async def finish_storing(self, job: Job, *, now: datetime) -> None:
        """Note that a pack is stored; see `Queue.finish_storing`."""
        await self._write(lambda db: packs.finish_storing(db, job, now))

    async def note_anchoring(self, job: Job, outcome: Anchoring, *, now: datetime) -> int:
        """Note the chain's answers; see `Queue.note_anchoring`."""
        return await self._write(lambda db: packs.note_anchoring(db, job, outcome, now))

    async def finish_confirmation(self, job: Job, outcome: Confirmation, *, now: datetime) -> list[str]:
        """Note what the finalized head says; see `Queue.finish_confirmation`."""
        return await self._write(lambda db: packs.finish_confirmation(db, job, outcome, now))

    async def releasable_key(self, record_id: bytes) -> bytes | None:
        """Find an accepted record's key; see `Queue.releasable_key`."""
        row = await self._row("releasable_key", id=record_id)
        return None if row is None else bytes(row["wrapped"])

    async def note_release(self, record_id: bytes, account: bytes, *, ground: Ground, now: datetime) -> None:
        """Log a key release; see `Queue.note_release`."""
        parameters = {"record": record_id, "account": account, "ground": str(ground), "now": to_ms(now)}
        await self._write(lambda db: db.execute(SQL["insert_release"], parameters).rowcount)

    async def tallies(self) -> list[Tally]:
        """Count by state; see `Queue.tallies`."""
        return [rows.tally(row) for row in await self._rows("tallies")]

    async def oldest_open(self) -> datetime | None:
        """Find the longest wait; see `Queue.oldest_open`."""
        row = await self._row("oldest_open")
        return None if row is None or row["since"] is None else from_ms(row["since"])

    async def troubles(self) -> list[Trouble]:
        """Say what goes wrong; see `Queue.troubles`."""
        return [rows.trouble(row) for row in await self._rows("troubles")]

    async def spool_files(self) -> set[str]:
        """List spool files in use; see `Queue.spool_files`."""
        return {row["spool"] for row in await self._rows("spool_files")}

    async def open_packs(self) -> set[bytes]:
        """List packs whose file may be needed; see `Queue.open_packs`."""
        return {row["id"] for row in await self._rows("open_packs")}

    async def _rows(self, statement: str, **parameters: Any) -> list[Row]:
        return await self._read(lambda db: db.execute(SQL[statement], parameters).fetchall())

    async def _row(self, statement: str, **parameters: Any) -> Row | None:
        found = await self._rows(statement, **parameters)
        return found[0] if found else None
