"""The values that the queue takes and gives. None holds plaintext or an identity; times are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from caregrid.content import MediaType
    from caregrid.records import RecordEntry, RecordFormat
    from ocw_sidecar.pipeline.states import PackState, RecordState, Stage, SubmissionState


@dataclass(frozen=True, slots=True)
class InRow:
    """Sealed bytes small enough to lie in the database."""

    body: bytes


@dataclass(frozen=True, slots=True)
class InSpool:
    """Sealed bytes in a file of the spool folder."""

    name: str  #: random, says nothing


Payload = InRow | InSpool


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSubmission:
    """One POST, sealed and ready to be acknowledged."""

    submission_id: bytes  #: 16 bytes; also the record id it is sealed under
    patient_id: bytes
    format: RecordFormat
    length: int  #: sealed bytes
    digest: bytes  #: SHA-256 of the sealed bytes
    payload: Payload
    wrapped_key: bytes  #: the data key, wrapped by the key store
    idempotency: bytes | None  #: SHA-256 over caller and key
    received_at: datetime
    submitter: bytes | None = None  #: the 32-byte account that the caller speaks for, if he does for one
    media_type: MediaType | None = None  #: of text that rides as BINARY; else the format says it


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """One POST as the queue knows it."""

    submission_id: bytes
    patient_id: bytes
    format: RecordFormat
    length: int
    digest: bytes
    state: SubmissionState
    reason: str | None  #: the error code it failed with
    media_type: MediaType | None = None  #: as of NewSubmission


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedSubmission:
    """A submission with everything that opens it."""

    submission: Submission
    payload: Payload
    wrapped_key: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptedWhole:
    """The sealed submission is the record, under its own id."""

    outcome: Mapping[str, Any] | None = None  #: what its submitter should know all the same
    fingerprint: bytes | None = None  #: by which a later one that says the same is known


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectedWhole:
    """The submission is invalid; its payload and key are discarded."""

    outcome: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DuplicateWhole:
    """The submission says the same as a record that is final; its payload and key are discarded."""

    original: bytes
    outcome: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedPart:
    """One valid entry of a Bundle, or what else came of a submission, sealed under its own key."""

    record_id: bytes
    length: int
    digest: bytes
    payload: Payload
    wrapped_key: bytes
    outcome: Mapping[str, Any] | None = None  #: as of AcceptedWhole
    fingerprint: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectedPart:
    """One invalid entry of a Bundle."""

    record_id: bytes
    outcome: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DuplicatePart:
    """One entry of a Bundle that says the same as another record."""

    record_id: bytes
    original: bytes
    outcome: Mapping[str, Any]


Part = SealedPart | RejectedPart | DuplicatePart


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """A Bundle's entries, in its order, and what tells of them."""

    parts: Sequence[Part]


Verdict = AcceptedWhole | RejectedWhole | DuplicateWhole | Parts


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordView:
    """One record as its submitter may see it."""

    record_id: bytes
    ordinal: int
    state: RecordState
    outcome: Mapping[str, Any] | None
    reason: str | None
    object_id: bytes | None
    block: int | None
    original: bytes | None = None  #: the record that a duplicate says the same as


@dataclass(frozen=True, kw_only=True, slots=True)
class PackLimits:
    """When a pack closes."""

    size: int  #: bytes; a larger record gets an object of its own
    records: int
    oldest_before: datetime  #: a record sealed at or before this time waits no longer


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """One object on its way."""

    pack_id: bytes  #: 16 random bytes, also its file's name
    state: PackState
    size: int
    record_count: int
    object_id: bytes | None  #: known once assembled
    manifest_root: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedRecord:
    """One record with its place in a pack."""

    entry: RecordEntry
    state: RecordState
    block: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A lease on one piece of work; whoever holds it may change the item's state."""

    stage: Stage
    item: bytes  #: a submission's or a pack's id
    attempt: int  #: this one, numbered from 1
    lease: bytes  #: a claim by somebody else makes it void


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchoring:
    """What the chain said to the calls for one pack; records in neither stay as they are."""

    anchored: Mapping[bytes, int]  #: record id to block number
    refused: Mapping[bytes, str]  #: record id to the chain's reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """What the finalized head says of one pack's anchored records."""

    confirmed: Mapping[bytes, int]  #: record id to the block it was anchored at
    refused: Mapping[bytes, str]
    lost: Sequence[bytes]  #: not there: to be anchored anew


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How much there is in one state."""

    kind: str  #: submission, record or pack
    state: str
    items: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Why jobs of one stage are being tried again."""

    stage: Stage
    reason: str
    items: int
