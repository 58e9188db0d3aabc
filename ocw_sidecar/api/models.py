"""What requests and answers hold: the API reads and writes through these and is described by them.

Bytes are hex here, as everywhere outside.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ocw_sidecar.callers.items import Scope
from ocw_sidecar.pipeline.patients import RegistrationState
from ocw_sidecar.pipeline.search import MAX_ITEMS
from ocw_sidecar.pipeline.states import RecordState, SubmissionState

#: Reasons are codes: `QUEUE_FULL`, or `CALL_REJECTED:Emr.PatientUnknown`.
MAX_REASON_CHARS: Final = 200

DEFAULT_ITEMS: Final = 50

#: Idempotency keys are told apart by their bytes, so they have no two spellings.
KEY_FORM: Final = "^[!-~]{1,64}$"


def _hex(length: int, *, lenient: bool = False) -> StringConstraints:
    digits = "0-9a-fA-F" if lenient else "0-9a-f"
    prefix = "(0x)?" if lenient else ""
    return StringConstraints(pattern=f"^{prefix}[{digits}]{{{2 * length}}}$")


IdOut = Annotated[str, _hex(16)]
LongOut = Annotated[str, _hex(32)]
IdIn = Annotated[str, _hex(16, lenient=True)]
LongIn = Annotated[str, _hex(32, lenient=True)]
PublicKeyIn = Annotated[str, _hex(1216, lenient=True)]
WrappedKey = Annotated[str, _hex(1168)]


class Taken(BaseModel):
    """Something a caller sends: a field that is not described here is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Given(BaseModel):
    """Something a caller gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fault(Given):
    """Why a request was refused."""

    code: Annotated[
        str, Field(pattern="^[A-Z0-9_]+$", description="Stays the same; see docs/reference/errors.md")
    ]
    message: Annotated[str, Field(description="For people; may change. Never holds content or secrets.")]
    outcome: Annotated[
        dict[str, Any],
        Field(description="OperationOutcome of content that is not what its Content-Type says."),
    ] = {}


class NoQuery(Taken):
    """A request without parameters."""


class WaitQuery(Taken):
    """How long to wait for news."""

    wait: Annotated[float, Field(ge=0, allow_inf_nan=False, description="Seconds; the longest is 55.")] = 0.0


class Accepted(Given):
    """A submission that is safe: `kill -9` and power loss do not lose it."""

    submission: IdOut
    state: SubmissionState


class Item(Given):
    """How far one record has come."""

    record: IdOut
    ordinal: Annotated[int, Field(ge=0, description="Its place in the submission.")]
    state: RecordState
    object: LongOut | None
    block: int | None
    outcome: Annotated[
        dict[str, Any],
        Field(description="OperationOutcome: why it is refused or a duplicate, or what else is to be known."),
    ] = {}
    original: Annotated[
        IdOut | None, Field(description="Of a duplicate: the record that it says the same as.")
    ] = None
    reason: str = ""


class Progress(Given):
    """How far a submission has come."""

    submission: IdOut
    state: SubmissionState
    settled: Annotated[bool, Field(description="Every record is confirmed, rejected, a duplicate or failed.")]
    records: list[Item]
    reason: str = ""


class _SearchQuery(Taken):
    patient: LongIn | None = None
    since: Annotated[int | None, Field(ge=0, le=1 << 47, description="Milliseconds since 1970.")] = None
    until: Annotated[int | None, Field(ge=0, le=1 << 47, description="Likewise; not included.")] = None
    before: Annotated[IdIn | None, Field(description="`next` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = DEFAULT_ITEMS


class SubmissionsQuery(_SearchQuery):
    """Which submissions to list."""

    state: SubmissionState | None = None


class RecordsQuery(_SearchQuery):
    """Which records to list."""

    state: RecordState | None = None


class ListedSubmission(Given):
    """One submission of a list."""

    submission: IdOut
    patient: LongOut
    format: str
    state: SubmissionState
    received: Annotated[int, Field(description="Milliseconds since 1970.")]
    reason: str = ""


class ListedRecord(Item):
    """One record of a list."""

    submission: IdOut
    patient: LongOut
    format: str


class SubmissionList(Given):
    """A page of submissions, the newest first."""

    submissions: list[ListedSubmission]
    next: Annotated[IdOut | None, Field(description="Pass as `before`; null at the end.")]


class RecordList(Given):
    """A page of records, the newest first."""

    records: list[ListedRecord]
    next: Annotated[IdOut | None, Field(description="Pass as `before`; null at the end.")]


class PatientWish(Taken):
    """A patient to register."""

    patient: Annotated[LongIn | None, Field(description="A random id; drawn here unless given.")] = None
    controller: Annotated[LongIn | None, Field(description="The patient's account, if he has one.")] = None


class PatientState(Given):
    """How far a registration has come."""

    patient: LongOut
    state: RegistrationState
    reason: str = ""


class PatientsQuery(Taken):
    """Which patients to list."""

    after: LongIn | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = DEFAULT_ITEMS


class PatientList(Given):
    """A page of patient ids, in their order."""

    patients: list[LongOut]
    next: Annotated[LongOut | None, Field(description="Pass as `after`; null at the end.")]


class KeyWish(Taken):
    """For whom a data key is to be wrapped."""

    account: Annotated[LongIn | None, Field(description="Left out: the caller's own account.")] = None
    public_key: Annotated[
        PublicKeyIn | None, Field(description="If given, it must be the one that stands on chain.")
    ] = None


class ReleasedKey(Given):
    """A data key, wrapped by HPKE to the reader's encryption key."""

    wrapped: WrappedKey


class Replayed(Given):
    """What was given another chance."""

    replayed: Annotated[int, Field(ge=0)]


class AllReplayed(Replayed):
    """Records and packs that were given another chance, and what else was."""

    deliveries: Annotated[int, Field(ge=0, description="Notices that could not be delivered.")]


class BatchLine(Taken):
    """One line of a batch; the resource is kept byte for byte as it stands there."""

    patient: LongIn
    resource: dict[str, Any]
    key: Annotated[str | None, Field(pattern=KEY_FORM, description="As Idempotency-Key.")] = None


class LineAnswer(Given):
    """What became of one line."""

    line: Annotated[int, Field(ge=1)]
    submission: IdOut | None = None
    state: SubmissionState | None = None
    error: Fault | None = None


class Alive(Given):
    """It answers."""

    live: bool


class Retrying(Given):
    """What is being tried again."""

    stage: str
    reason: str
    items: int


class Ready(Given):
    """Whether submissions are taken in."""

    ready: bool
    reasons: list[str]
    retrying: list[Retrying]


class Identity(Given):
    """Who the caller is to the sidecar."""

    account: LongOut | None
    scopes: list[Scope]
