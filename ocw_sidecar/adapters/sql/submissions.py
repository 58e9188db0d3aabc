"""Intake and validation. Each function runs inside the caller's transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import ValidationFailed
from ocw_sidecar.adapters.sql import jobs, rows
from ocw_sidecar.adapters.sql.notices import tell_failed
from ocw_sidecar.adapters.sql.rows import SQL, to_ms
from ocw_sidecar.pipeline.items import (
    AcceptedWhole,
    DuplicatePart,
    DuplicateWhole,
    Parts,
    RejectedPart,
    RejectedWhole,
    SealedPart,
    Submission,
)
from ocw_sidecar.pipeline.states import Stage, SubmissionState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Session
    from ocw_sidecar.pipeline.items import Job, NewSubmission, Part, Verdict

_ADDING: Final = [SQL[name] for name in ("add_submissions", "add_payloads", "add_keys", "add_jobs")]


def add_all(db: Session, news: Sequence[NewSubmission]) -> list[Submission]:
    """Take submissions in; for one whose idempotency key is known, return what has the key."""
    fresh: list[NewSubmission] = []
    known: dict[bytes, Submission] = {}
    found: list[Submission] = []
    for new in news:
        had = None if new.idempotency is None else known.get(new.idempotency) or _had(db, new.idempotency)
        if had is None:
            fresh.append(new)
        found.append(_received(new) if had is None else had)
        if new.idempotency is not None:
            known[new.idempotency] = found[-1]
    db.insert_all(_ADDING, [_row(new) for new in fresh])
    return found


def _had(db: Session, idempotency: bytes) -> Submission | None:
    return None if db.first_try else find_by_key(db, idempotency)


def _row(new: NewSubmission) -> dict[str, Any]:
    return {
        "patient": new.patient_id,
        "format": int(new.format),
        "length": new.length,
        "digest": new.digest,
        "idempotency": new.idempotency,
        "now": to_ms(new.received_at),
        "wrapped": new.wrapped_key,
        "stage": str(Stage.VALIDATE),
        "item": new.submission_id,
        "submitter": new.submitter,
        "media": None if new.media_type is None else new.media_type.value,
        **rows.payload_parameters(new.submission_id, new.payload),
    }


def _received(new: NewSubmission) -> Submission:
    return Submission(
        submission_id=new.submission_id,
        patient_id=new.patient_id,
        format=new.format,
        length=new.length,
        digest=new.digest,
        state=SubmissionState.RECEIVED,
        reason=None,
        media_type=new.media_type,
    )


def find_by_key(db: Session, idempotency: bytes) -> Submission | None:
    """Return the submission with this idempotency key."""
    row = db.execute(SQL["submission_by_key"], {"idempotency": idempotency}).fetchone()
    return None if row is None else rows.submission(row)


def finish_validation(db: Session, job: Job, verdict: Verdict, now: datetime) -> list[str]:
    """Turn a submission into records; return the spool files that nobody needs any more."""
    jobs.require_held(db, job)
    freed = _write_records(db, job.item, verdict, now)
    if rejected := _count_rejected(verdict):
        failed = db.execute(SQL["submitter_of"], {"id": job.item}).fetchall() * rejected
        tell_failed(db, "submission", job.item, failed, reason=ValidationFailed.code)
    db.execute(SQL["finish_submission"], {"id": job.item})
    db.execute(SQL["delete_job"], {"item": job.item})
    return freed


def _write_records(db: Session, submission_id: bytes, verdict: Verdict, now: datetime) -> list[str]:
    common = {"submission": submission_id, "now": to_ms(now)}
    if isinstance(verdict, AcceptedWhole):
        db.execute(SQL["keep_submission_as_record"], {**common, **_kept(verdict)})
        return []
    if isinstance(verdict, Parts):
        for ordinal, part in enumerate(verdict.parts):
            _write_part(db, part, {**common, "id": part.record_id, "ordinal": ordinal})
    else:
        _write_refused(db, verdict, {**common, "id": submission_id, "ordinal": 0})
    return discard(db, submission_id)


def _count_rejected(verdict: Verdict) -> int:
    if isinstance(verdict, Parts):
        return sum(isinstance(part, RejectedPart) for part in verdict.parts)
    return int(isinstance(verdict, RejectedWhole))


def _write_part(db: Session, part: Part, common: dict[str, Any]) -> None:
    if not isinstance(part, SealedPart):
        _write_refused(db, part, common)
        return
    written = {**common, **_kept(part), "length": part.length, "digest": part.digest}
    db.execute(SQL["insert_part"], written)
    db.execute(SQL["insert_payload"], rows.payload_parameters(part.record_id, part.payload))
    db.execute(SQL["insert_key"], {"id": part.record_id, "wrapped": part.wrapped_key})


def _kept(accepted: AcceptedWhole | SealedPart) -> dict[str, Any]:
    return {"outcome": _text(accepted.outcome), "fingerprint": accepted.fingerprint}


def _write_refused(
    db: Session,
    refused: RejectedWhole | RejectedPart | DuplicateWhole | DuplicatePart,
    common: dict[str, Any],
) -> None:
    written = {**common, "outcome": _text(refused.outcome)}
    if isinstance(refused, DuplicateWhole | DuplicatePart):
        db.execute(SQL["insert_duplicate"], {**written, "original": refused.original})
    else:
        db.execute(SQL["insert_rejected"], written)


def _text(outcome: Mapping[str, Any] | None) -> str | None:
    return None if outcome is None else json.dumps(outcome, separators=(",", ":"))


def original_of(db: Session, fingerprint: bytes) -> bytes | None:
    """Return the final record with this fingerprint."""
    row = db.execute(SQL["original_of"], {"fingerprint": fingerprint}).fetchone()
    return None if row is None else bytes(row["id"])


def fingerprint_key(db: Session, wrapped: bytes, instead_of: bytes | None) -> bytes:
    """Keep a wrapped key, unless there is another one already; return the one that is kept."""
    if instead_of is None:
        db.execute(SQL["insert_fingerprint_key"], {"wrapped": wrapped})
    else:
        db.execute(SQL["replace_fingerprint_key"], {"wrapped": wrapped, "old": instead_of})
    row = db.execute(SQL["fingerprint_key"]).fetchone()
    return wrapped if row is None else bytes(row["wrapped"])


def discard(db: Session, sealed_id: bytes) -> list[str]:
    """Forget sealed bytes and their key; return the spool file to remove after the commit."""
    db.execute(SQL["delete_key"], {"id": sealed_id})
    return forget_payload(db, sealed_id)


def forget_payload(db: Session, sealed_id: bytes) -> list[str]:
    """Forget sealed bytes, keep their key; return the spool file to remove after the commit."""
    freed = db.execute(SQL["delete_payload"], {"id": sealed_id}).fetchall()
    return [row["spool"] for row in freed if row["spool"] is not None]
