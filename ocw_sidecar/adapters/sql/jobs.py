"""Leases: who may work on what, until when. Each function runs inside the caller's transaction."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from ocw_sidecar.adapters.sql.notices import tell_failed
from ocw_sidecar.adapters.sql.rows import SQL, to_ms
from ocw_sidecar.pipeline.items import Job
from ocw_sidecar.pipeline.queue import LeaseLost
from ocw_sidecar.pipeline.states import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Session

_LEASE_LEN = 16


def claim(db: Session, stage: Stage, limit: int, now: datetime, until: datetime) -> list[Job]:
    """Lease up to `limit` due jobs."""
    lease = secrets.token_bytes(_LEASE_LEN)
    parameters = {"lease": lease, "stage": stage, "limit": limit, "now": to_ms(now), "until": to_ms(until)}
    rows = db.execute(SQL["claim_jobs"], parameters).fetchall()
    rows.sort(key=lambda row: int(row["id"]))
    return [Job(stage=stage, item=row["item"], attempt=row["attempts"], lease=lease) for row in rows]


def require_held(db: Session, job: Job) -> None:
    """Refuse to act for a lease that ran out and was claimed by somebody else.

    Raises:
        LeaseLost: it was.
    """
    if (
        db.execute(SQL["job_is_held"], {"item": job.item, "stage": job.stage, "lease": job.lease}).fetchone()
        is None
    ):
        raise LeaseLost


def extend(db: Session, jobs: Sequence[Job], until: datetime) -> None:
    """Move the end of leases."""
    db.executemany(
        SQL["extend_lease"], [{"item": job.item, "lease": job.lease, "until": to_ms(until)} for job in jobs]
    )


def retry(db: Session, job: Job, due: datetime, reason: str) -> None:
    """Return a lease after a failed attempt."""
    require_held(db, job)
    db.execute(SQL["retry_job"], {"item": job.item, "due": to_ms(due), "reason": reason})


def move(db: Session, item: bytes, stage: Stage, now: datetime) -> None:
    """Hand an item to the next stage."""
    db.execute(SQL["move_job"], {"item": item, "stage": stage, "now": to_ms(now)})


def fail(db: Session, job: Job, reason: str) -> None:
    """Give an item up."""
    require_held(db, job)
    if job.stage is Stage.VALIDATE:
        db.execute(SQL["fail_submission"], {"id": job.item, "reason": reason})
        failed = db.execute(SQL["submitter_of"], {"id": job.item}).fetchall()
        tell_failed(db, "submission", job.item, failed, reason=reason)
    else:
        db.execute(SQL["fail_pack"], {"id": job.item, "reason": reason})
        failed = db.execute(SQL["fail_records_of_pack"], {"pack": job.item, "reason": reason}).fetchall()
        tell_failed(db, "pack", job.item, failed, reason=reason)
    db.execute(SQL["delete_job"], {"item": job.item})


def release_all(db: Session, now: datetime) -> int:
    """Void every lease."""
    return db.execute(SQL["release_leases"], {"now": to_ms(now)}).rowcount


def replay_failed(db: Session, now: datetime) -> int:
    """Put everything failed back to where it failed."""
    created = 0
    for jobs_of, items_of in (
        ("replay_submission_jobs", "replay_submissions"),
        ("replay_pack_jobs", "replay_packs"),
        ("reopen_pack_jobs", "reopen_packs"),
    ):
        created += db.execute(SQL[jobs_of], {"now": to_ms(now)}).rowcount
        db.execute(SQL[items_of])
    db.execute(SQL["replay_records"])
    return created
