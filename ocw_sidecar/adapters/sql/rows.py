"""Between the queue's values and the database's rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from caregrid.content import MediaType
from caregrid.records import RecordEntry, RecordFormat
from ocw_sidecar.pipeline import sql
from ocw_sidecar.pipeline.items import (
    InRow,
    InSpool,
    Pack,
    PackedRecord,
    RecordView,
    SealedSubmission,
    Submission,
    Tally,
    Trouble,
)
from ocw_sidecar.pipeline.states import PackState, RecordState, Stage, SubmissionState

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql.database import Row
    from ocw_sidecar.pipeline.items import Payload

#: Every statement of the queue, by name.
SQL: Final = sql.named_statements("queue")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970; a time without zone is a bug and raises TypeError."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """Return the aware UTC time."""
    return _EPOCH + milliseconds * _MILLISECOND


def submission(row: Row) -> Submission:
    """Read a submission."""
    return Submission(
        submission_id=row["id"],
        patient_id=row["patient"],
        format=RecordFormat(row["format"]),
        length=row["length"],
        digest=row["digest"],
        state=SubmissionState(row["state"]),
        reason=row["reason"],
        media_type=None if row["media"] is None else MediaType(row["media"]),
    )


def sealed_submission(row: Row) -> SealedSubmission:
    """Read a submission with all that opens it."""
    return SealedSubmission(submission=submission(row), payload=payload(row), wrapped_key=row["wrapped"])


def record_view(row: Row) -> RecordView:
    """Read a record as its submitter sees it."""
    return RecordView(
        record_id=row["id"],
        ordinal=row["ordinal"],
        state=RecordState(row["state"]),
        outcome=None if row["outcome"] is None else json.loads(row["outcome"]),
        reason=row["reason"],
        object_id=row["object"],
        block=row["block"],
        original=row["original"],
    )


def packed_record(row: Row) -> PackedRecord:
    """Read a record with its place."""
    entry = RecordEntry(
        record_id=row["id"],
        patient_id=row["patient"],
        offset=row["position"],
        length=row["length"],
        digest=row["digest"],
        format=RecordFormat(row["format"]),
    )
    return PackedRecord(entry=entry, state=RecordState(row["state"]), block=row["block"])


def pack(row: Row) -> Pack:
    """Read a pack."""
    return Pack(
        pack_id=row["id"],
        state=PackState(row["state"]),
        size=row["size"],
        record_count=row["record_count"],
        object_id=row["object"],
        manifest_root=row["manifest_root"],
    )


def payload(row: Row) -> Payload:
    """Read where sealed bytes are."""
    return InRow(row["body"]) if row["spool"] is None else InSpool(row["spool"])


def payload_parameters(sealed_id: bytes, where: Payload) -> dict[str, bytes | str | None]:
    """Return the parameters that write a payload."""
    if isinstance(where, InRow):
        return {"id": sealed_id, "body": where.body, "spool": None}
    return {"id": sealed_id, "body": None, "spool": where.name}


def tally(row: Row) -> Tally:
    """Read a tally."""
    return Tally(kind=row["kind"], state=row["state"], items=row["items"], bytes=row["bytes"])


def trouble(row: Row) -> Trouble:
    """Read why jobs are being tried again."""
    return Trouble(stage=Stage(row["stage"]), reason=row["reason"], items=row["items"])
