"""Named places where a test may have the process killed.

This is production code on purpose: the promise is that `kill -9` *anywhere* loses nothing and does nothing
twice, and only the real process, killed between two real steps, can show it. A patched-in hook would test
another program. The cost is one comparison per place; without the variable nothing can happen.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum
from typing import Final

#: `CAREGRID_CRASH_AT=STORED` dies at the first pass of that place.
_WANTED: Final = os.environ.get("CAREGRID_CRASH_AT")


class CrashPoint(StrEnum):
    """The places, in the order that a record passes them."""

    SPOOLED = "SPOOLED"  #: sealed payload on disk, nothing in the database
    ACCEPTED = "ACCEPTED"  #: committed, not yet acknowledged
    JUDGED = "JUDGED"  #: validated, not yet noted
    VALIDATED = "VALIDATED"  #: noted
    PLANNED = "PLANNED"
    WRITTEN = "WRITTEN"  #: pack file on disk, its id not yet noted
    ASSEMBLED = "ASSEMBLED"
    UPLOADED = "UPLOADED"  #: in storage, not yet noted
    STORED = "STORED"
    SUBMITTED = "SUBMITTED"  #: executed on chain, not yet noted
    ANCHORED = "ANCHORED"
    CLOSED = "CLOSED"  #: confirmed and noted, files not yet removed


class WorkerCrashPoint(StrEnum):
    """Places of the workers that follow the chain."""

    ESCROWED = "ESCROWED"  #: a grant's key wrapped and kept, the chain not yet told
    DELIVERED = "DELIVERED"  #: the chain told, not yet noted
    TAGGED = "TAGGED"  #: an object's tags on the nodes and listed, the chain not yet told
    COMMITTED = "COMMITTED"  #: the chain told of the tags, not yet noted
    REWRAPPED = "REWRAPPED"  #: some keys wrapped by the new master key, others not yet
    COMPACTION_PLANNED = "COMPACTION_PLANNED"
    COMPACTION_WRITTEN = "COMPACTION_WRITTEN"  #: the new object's file on disk, its id not yet noted
    COMPACTION_ASSEMBLED = "COMPACTION_ASSEMBLED"
    COMPACTION_UPLOADED = "COMPACTION_UPLOADED"  #: in storage, not yet noted
    COMPACTION_STORED = "COMPACTION_STORED"
    COMPACTION_SUBMITTED = "COMPACTION_SUBMITTED"  #: some records moved on chain, not yet noted
    COMPACTION_NOTED = "COMPACTION_NOTED"  #: noted, the file not yet removed
    ERASURE_LISTED = "ERASURE_LISTED"  #: in the list of erasures, not in the database
    ERASURE_DECIDED = "ERASURE_DECIDED"  #: keys destroyed, not yet acknowledged
    ERASURE_SUBMITTED = "ERASURE_SUBMITTED"  #: executed on chain, not yet noted
    ERASURE_NOTED = "ERASURE_NOTED"  #: noted, our copies of the sealed bytes not yet removed


def reach(point: CrashPoint | WorkerCrashPoint) -> None:
    """Die here, as from `kill -9`, if this is the wanted place."""
    if point == _WANTED:
        os.kill(os.getpid(), signal.SIGKILL)
