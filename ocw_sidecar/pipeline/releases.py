"""What is written down each time that a data key is handed out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class Ground(StrEnum):
    """By what an account was given a key."""

    OWN = "own"  #: it is the organisation or an operator
    RECORD = "record"  #: a grant of the record
    PATIENT = "patient"  #: a grant of all the patient's records
    EMERGENCY = "emergency"  #: a grant for emergency treatment


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One key that was handed out."""

    number: int  #: grows; of all records together
    account: bytes
    released_at: datetime
    ground: Ground | None  #: None: older versions wrote none down


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasePage:
    """Some of a record's releases, the newest first."""

    items: Sequence[Release]
    next: int | None  #: pass as `before` to go on; None means that there are no more
