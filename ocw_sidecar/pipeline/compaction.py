"""What is kept of erased bytes that are still stored, and of how the records beside them are moved away.

A compaction is one new object that takes the live records of some older ones, sealed as they are, or a
record that is sealed anew::

    planned ─▶ assembled ─▶ stored ─▶ gone, its records noted where they lie now
       ▲          │            │
       └──────────┘            └ until the chain says where each record lies

Each state is durable before anybody acts on it. A plan is dropped only before it is assembled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from caregrid.records import RecordEntry


class CompactionState(StrEnum):
    """How far one new object has come."""

    PLANNED = "planned"  #: its records have their places
    ASSEMBLED = "assembled"  #: its file was on disk; its file id and the records' digests are known
    STORED = "stored"  #: it lies in storage


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasedFrom:
    """One of our objects that something was erased from, or moved out of."""

    object_id: bytes
    erased_at: datetime  #: when we first learned of that
    attempts: int  #: to move the rest that failed so far


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """One record that is to lie elsewhere."""

    source: bytes  #: the object that it lies in
    source_offset: int
    source_digest: bytes
    target: RecordEntry  #: its digest is the source's until a record that is sealed anew is assembled
    wrapped_key: bytes | None = None  #: the data key that it is sealed anew under, wrapped by the key store

    @property
    def record_id(self) -> bytes:
        """Which record."""
        return self.target.record_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Compaction:
    """One new object on its way."""

    compaction_id: bytes  #: 16 random bytes, also its file's name
    state: CompactionState
    size: int
    record_count: int
    object_id: bytes | None  #: known once assembled
    manifest_root: bytes | None
    attempts: int  #: that failed since it came into this state


@dataclass(frozen=True, kw_only=True, slots=True)
class ResealRequest:
    """The wish that a record be sealed anew under another data key."""

    record_id: bytes
    asked_at: datetime
    done_at: datetime | None  #: since when the new key is the only one; None while that is to come
    attempts: int  #: that failed so far
    reason: str | None  #: why the last one did


class CompactionBook(ABC):
    """The tables. Every method is one transaction, and one that is done again changes nothing more."""

    @abstractmethod
    async def note_erased(self, object_ids: Sequence[bytes], *, now: datetime) -> None:
        """Note objects of which something is erased; those that are known stay as they are."""

    @abstractmethod
    async def due_objects(self, limit: int, *, now: datetime) -> list[ErasedFrom]:
        """Return objects that are due and in no plan, the longest due first."""

    @abstractmethod
    async def postpone_object(self, object_id: bytes, *, due: datetime, reason: str, failed: bool) -> None:
        """Look at an object again later; `failed` counts an attempt."""

    @abstractmethod
    async def attempts_at(self, object_id: bytes) -> int:
        """Return how often moving the rest of an object has failed."""

    @abstractmethod
    async def forget_object(self, object_id: bytes) -> None:
        """Forget an object: nothing erased is left in it, or it is gone."""

    @abstractmethod
    async def objects_after(self, object_id: bytes, limit: int) -> list[bytes]:
        """Return ids of the ledger's objects behind one, for a look at each of them in turn."""

    @abstractmethod
    async def has_failed_records(self, object_id: bytes) -> bool:
        """Tell whether a pack of ours that became this object has records that may still be replayed."""

    @abstractmethod
    async def count_objects(self) -> int:
        """Return how many objects have erased bytes in them."""

    @abstractmethod
    async def plan(self, compaction_id: bytes, transfers: Sequence[Transfer], *, now: datetime) -> bool:
        """Write a plan down; False, and nothing is written, when one of its records is in another plan.

        Args:
            compaction_id: 16 new random bytes.
            transfers: the records in the order of their offsets in the new object, without a gap.
            now: the time.
        """

    @abstractmethod
    async def open_compactions(self) -> list[Compaction]:
        """Return everything that is under way, the oldest first."""

    @abstractmethod
    async def due_compactions(self, limit: int, *, now: datetime) -> list[Compaction]:
        """Return what is to be taken on now, the longest due first."""

    @abstractmethod
    async def transfers(self, compaction_id: bytes) -> list[Transfer]:
        """Return a plan's records by offset."""

    @abstractmethod
    async def finish_assembly(
        self,
        compaction_id: bytes,
        *,
        object_id: bytes,
        manifest_root: bytes,
        resealed: Mapping[bytes, bytes],
        now: datetime,
    ) -> None:
        """Note a file that is on disk; `resealed` has the digests of records that were sealed anew."""

    @abstractmethod
    async def finish_storing(self, compaction_id: bytes, *, now: datetime) -> None:
        """Note that the object lies in storage."""

    @abstractmethod
    async def assemble_again(self, compaction_id: bytes, *, now: datetime) -> None:
        """Go back to the plan, since the file is lost; what may lie in storage of it is to be removed."""

    @abstractmethod
    async def postpone(self, compaction_id: bytes, *, due: datetime, reason: str) -> None:
        """Take a compaction on later, after a failed attempt."""

    @abstractmethod
    async def drop(self, compaction_id: bytes) -> None:
        """Forget a plan that is not assembled; its records stay where they are."""

    @abstractmethod
    async def finish(self, compaction_id: bytes, *, moved: Collection[bytes], now: datetime) -> None:
        """Note which records the chain has in the new object; the queue's rows follow, and the plan is gone.

        Records that were left out leave bytes in the new object that are to be compacted away in turn; an
        object that none was moved to is to be removed. The new data keys of those that were moved stand in
        the place of the old ones from then on, and what is in escrow for their grants is delivered anew.
        """

    @abstractmethod
    async def ask_reseal(self, record_id: bytes, now: datetime) -> None:
        """Have a record sealed anew under another data key; one that waits already goes on waiting."""

    @abstractmethod
    async def reseal_request(self, record_id: bytes) -> ResealRequest | None:
        """Return the last wish to have a record sealed anew, until it is long done."""

    @abstractmethod
    async def due_reseals(self, limit: int, *, now: datetime) -> list[ResealRequest]:
        """Return wishes that are due and in no plan, the longest due first."""

    @abstractmethod
    async def postpone_reseal(self, record_id: bytes, *, due: datetime, reason: str) -> None:
        """Try a wish again later, after a failed attempt."""

    @abstractmethod
    async def drop_reseal(self, record_id: bytes) -> None:
        """Forget a wish: there is no such record of ours any more."""

    @abstractmethod
    async def purge_reseals(self, *, before: datetime) -> None:
        """Forget wishes that were fulfilled before a time."""
