"""Looking for items: by patient, state and time, the newest first, a page at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from caregrid.records import RECORD_ID_LEN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from caregrid.records import RecordFormat
    from ocw_sidecar.pipeline.items import RecordView
    from ocw_sidecar.pipeline.releases import ReleasePage
    from ocw_sidecar.pipeline.states import SubmissionState

T = TypeVar("T")

#: Items on one page.
MAX_ITEMS: Final = 256

#: Rows that one page looks at, whatever it is asked for: some milliseconds of the database's time.
MAX_LOOKS: Final = 5_000

FIRST_ID: Final = bytes(RECORD_ID_LEN)
LAST_ID: Final = b"\xff" * RECORD_ID_LEN


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """What to look for."""

    patient_id: bytes | None = None
    state: str | None = None
    since: bytes = FIRST_ID  #: the lowest id; ids begin with their time
    before: bytes = LAST_ID  #: ids below this one only: where the last page ended
    limit: int = MAX_ITEMS


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    """Some of what was found. It may hold fewer items than asked for and yet not be the last."""

    items: Sequence[T]
    next: bytes | None  #: pass as `before` to go on; None means that there is no more


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundSubmission:
    """One POST, as a search finds it."""

    submission_id: bytes
    patient_id: bytes
    format: RecordFormat
    state: SubmissionState
    reason: str | None
    received_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRecord:
    """One record, as a search finds it."""

    submission_id: bytes
    patient_id: bytes
    format: RecordFormat
    view: RecordView


class Search(ABC):
    """Reads only."""

    @abstractmethod
    async def submissions(self, query: Query) -> Page[FoundSubmission]:
        """Return a page of submissions."""

    @abstractmethod
    async def records(self, query: Query) -> Page[FoundRecord]:
        """Return a page of records."""

    @abstractmethod
    async def releases(self, record_id: bytes, *, before: int | None, limit: int) -> ReleasePage:
        """Return a page of the times that a record's key was handed out, below a number."""
