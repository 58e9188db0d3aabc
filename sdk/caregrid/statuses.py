"""What a sidecar says of submissions and records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.errors import CaregridError


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemStatus:
    """How far one record of a submission has come."""

    record_id: bytes
    ordinal: int  #: place in the submission, from 0
    state: str  #: as in the sidecar's state machine; `confirmed`, `rejected`, `duplicate`, `failed` are final
    object_id: bytes | None
    block: int | None  #: the finalized block that anchors it
    outcome: dict[str, Any] | None  #: FHIR OperationOutcome: why it is refused, or what else is to be known
    reason: str | None  #: why it failed
    original: bytes | None = None  #: of a duplicate: the record that it says the same as


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmissionStatus:
    """How far a submission has come."""

    submission_id: bytes
    state: str
    settled: bool  #: every record is confirmed, rejected, a duplicate or failed
    items: Sequence[ItemStatus]
    reason: str | None = None

    def of_state(self, state: str) -> list[ItemStatus]:
        """Return the items in one state."""
        return [item for item in self.items if item.state == state]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRecord:
    """One record that a search found."""

    submission_id: bytes
    patient_id: bytes
    format: str
    item: ItemStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundSubmission:
    """One submission that a search found."""

    submission_id: bytes
    patient_id: bytes
    format: str
    state: str
    received_at: int  #: milliseconds since 1970
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchItem:
    """One FHIR resource of many."""

    patient_id: bytes
    resource: bytes  #: JSON
    key: str | None = None  #: sent again with the same key, it is the same submission


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchAnswer:
    """What became of one resource of many."""

    index: int  #: its place among those that were handed over, from 0
    submission_id: bytes | None  #: durable; None when it was refused
    error: CaregridError | None  #: why


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRelease:
    """One time that a record's data key was handed out."""

    account: bytes  #: to whom
    released_at: int  #: milliseconds since 1970
    ground: (
        str | None
    )  #: `own`, `record`, `patient` or `emergency`; None where an older sidecar wrote none down
    emergency: bool


def submission_status(answer: Mapping[str, Any]) -> SubmissionStatus:
    """Read a submission's status."""
    return SubmissionStatus(
        submission_id=bytes.fromhex(answer["submission"]),
        state=answer["state"],
        settled=answer["settled"],
        items=[item_status(item) for item in answer["records"]],
        reason=answer.get("reason"),
    )


def item_status(item: Mapping[str, Any]) -> ItemStatus:
    """Read a record's status."""
    return ItemStatus(
        record_id=bytes.fromhex(item["record"]),
        ordinal=item["ordinal"],
        state=item["state"],
        object_id=None if item["object"] is None else bytes.fromhex(item["object"]),
        block=item["block"],
        outcome=item.get("outcome"),
        reason=item.get("reason"),
        original=None if item.get("original") is None else bytes.fromhex(item["original"]),
    )


def found_record(item: Mapping[str, Any]) -> FoundRecord:
    """Read one record of a list."""
    return FoundRecord(
        submission_id=bytes.fromhex(item["submission"]),
        patient_id=bytes.fromhex(item["patient"]),
        format=item["format"],
        item=item_status(item),
    )


def found_submission(item: Mapping[str, Any]) -> FoundSubmission:
    """Read one submission of a list."""
    return FoundSubmission(
        submission_id=bytes.fromhex(item["submission"]),
        patient_id=bytes.fromhex(item["patient"]),
        format=item["format"],
        state=item["state"],
        received_at=item["received"],
        reason=item.get("reason"),
    )


def key_release(item: Mapping[str, Any]) -> KeyRelease:
    """Read one release of a list."""
    return KeyRelease(
        account=bytes.fromhex(item["account"]),
        released_at=item["released"],
        ground=item["ground"],
        emergency=item["emergency"],
    )
