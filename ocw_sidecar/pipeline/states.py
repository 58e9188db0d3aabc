"""The written state machine: what a submission, a record and a pack can be, and what may follow what.

::

    submission   received ──▶ validated
                     └──────▶ failed ──▶ received            (replayed)

    record       sealed ─▶ packed ─▶ stored ─▶ anchored ─▶ confirmed
                 rejected            ▲  └◀──────┘            (not found at the finalized head: anchored anew)
                 duplicate
                     any of packed, stored, anchored ─▶ failed ─▶ where it failed   (replayed)

    pack         planned ─▶ assembled ─▶ stored ─▶ anchored ─▶ closed
                                          ▲  └◀──────┘ └◀───────┘   (records to anchor anew, or replayed)
                     any of planned, assembled, stored, anchored ─▶ failed ─▶ where it failed

Each state is durable, and each is written before anybody acts on it. The database holds the same table and
refuses any other step; a test compares the two.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class SubmissionState(StrEnum):
    """What became of one POST."""

    RECEIVED = "received"  #: sealed and acknowledged, not yet looked at
    VALIDATED = "validated"  #: turned into records
    FAILED = "failed"  #: given up; its payload is kept and it can be replayed


class RecordState(StrEnum):
    """How far one record has come."""

    SEALED = "sealed"  #: valid, waits for a pack
    PACKED = "packed"  #: has its place in an object
    STORED = "stored"  #: its object lies in storage
    ANCHORED = "anchored"  #: its call was executed in a finalized block
    CONFIRMED = "confirmed"  #: read back at the finalized head; our copy of the bytes is gone
    REJECTED = "rejected"  #: invalid; outcome kept, payload and key discarded
    DUPLICATE = "duplicate"  #: says the same as another record, which it names; payload and key discarded
    FAILED = "failed"  #: given up; its payload is kept and it can be replayed


class PackState(StrEnum):
    """How far one object has come."""

    PLANNED = "planned"  #: its records have their places
    ASSEMBLED = "assembled"  #: its file is on disk, its file id in the database
    STORED = "stored"
    ANCHORED = "anchored"  #: none of its records waits for a call
    CLOSED = "closed"  #: each of its records is confirmed or failed
    FAILED = "failed"


class Stage(StrEnum):
    """The work that a job asks for; a live submission or pack has exactly one job."""

    VALIDATE = "validate"
    ASSEMBLE = "assemble"
    STORE = "store"
    ANCHOR = "anchor"
    CONFIRM = "confirm"


#: The stage that takes a pack on from each state.
STAGE_OF_PACK: Final = {
    PackState.PLANNED: Stage.ASSEMBLE,
    PackState.ASSEMBLED: Stage.STORE,
    PackState.STORED: Stage.ANCHOR,
    PackState.ANCHORED: Stage.CONFIRM,
}

#: What a record of a live pack waits as; a failed record goes back there when it is replayed.
OPEN_RECORD_STATES: Final = (
    RecordState.SEALED,
    RecordState.PACKED,
    RecordState.STORED,
    RecordState.ANCHORED,
)

FINAL_RECORD_STATES: Final = (
    RecordState.CONFIRMED,
    RecordState.REJECTED,
    RecordState.DUPLICATE,
    RecordState.FAILED,
)

INITIAL_SUBMISSION_STATES: Final = frozenset({SubmissionState.RECEIVED})
INITIAL_RECORD_STATES: Final = frozenset({RecordState.SEALED, RecordState.REJECTED, RecordState.DUPLICATE})
INITIAL_PACK_STATES: Final = frozenset({PackState.PLANNED})

SUBMISSION_TRANSITIONS: Final = frozenset(
    {
        (SubmissionState.RECEIVED, SubmissionState.VALIDATED),
        (SubmissionState.RECEIVED, SubmissionState.FAILED),
        (SubmissionState.FAILED, SubmissionState.RECEIVED),
    }
)

RECORD_TRANSITIONS: Final = frozenset(
    {
        (RecordState.SEALED, RecordState.PACKED),
        (RecordState.PACKED, RecordState.STORED),
        (RecordState.STORED, RecordState.ANCHORED),
        (RecordState.ANCHORED, RecordState.CONFIRMED),
        (RecordState.ANCHORED, RecordState.STORED),
        *((state, RecordState.FAILED) for state in OPEN_RECORD_STATES[1:]),
        *((RecordState.FAILED, state) for state in OPEN_RECORD_STATES[1:]),
    }
)

PACK_TRANSITIONS: Final = frozenset(
    {
        (PackState.PLANNED, PackState.ASSEMBLED),
        (PackState.ASSEMBLED, PackState.STORED),
        (PackState.STORED, PackState.ANCHORED),
        (PackState.ANCHORED, PackState.CLOSED),
        (PackState.ANCHORED, PackState.STORED),
        (PackState.CLOSED, PackState.STORED),
        *((state, PackState.FAILED) for state in STAGE_OF_PACK),
        *((PackState.FAILED, state) for state in STAGE_OF_PACK),
    }
)
