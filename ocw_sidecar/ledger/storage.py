"""What is to be done about our objects on the storage network: which are in trouble, which to give up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageTrouble:
    """An object that is stored too thinly."""

    object_id: bytes
    since: int  #: the block as of which a look found it so
    repaired_at: int | None = None  #: the block as of which a repair was last begun


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """An object whose last record was erased, and which the network still has to give up."""

    object_id: bytes
    removed_at: int  #: the block that the chain gave it up in
    attempts: int  #: that failed so far


class StorageBook(ABC):
    """Kept beside the ledger; removals are filled from events by a fold. Every method is one transaction."""

    @abstractmethod
    async def troubles(self, object_ids: Sequence[bytes]) -> Mapping[bytes, StorageTrouble]:
        """Return those of the objects that are in trouble."""

    @abstractmethod
    async def longest_troubled(self, limit: int) -> list[StorageTrouble]:
        """Return objects in trouble, those first that have not been looked at for longest."""

    @abstractmethod
    async def note_looks(self, *, troubled: Sequence[bytes], sound: Sequence[bytes], height: int) -> None:
        """Note what looks as of a block came to; trouble that is known keeps its beginning."""

    @abstractmethod
    async def note_repair(self, object_id: bytes, height: int) -> None:
        """Note that a repair of an object in trouble is about to begin."""

    @abstractmethod
    async def due_removals(self, limit: int, *, now: datetime) -> list[Removal]:
        """Return removals that are due, the longest due first."""

    @abstractmethod
    async def is_under_way(self, object_id: bytes) -> bool:
        """Tell whether a pack or a compaction that is not settled yet is, or will be, this object."""

    @abstractmethod
    async def finish_removal(self, object_id: bytes) -> None:
        """Forget a removal: it is done, or not wanted any more."""

    @abstractmethod
    async def postpone_removal(self, object_id: bytes, *, due: datetime, reason: str) -> None:
        """Try a removal again later."""

    @abstractmethod
    async def counts(self) -> tuple[int, int]:
        """Return how many objects are in trouble, and how many are to be removed."""
