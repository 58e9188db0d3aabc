"""What keeps the queue in good order over the years."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Purged:
    """What one look came to."""

    looked: int
    purged: int
    after: bytes  #: pass on to look further


class Upkeep(ABC):
    """Rare work on the queue's tables; every method is one transaction."""

    @abstractmethod
    async def purge(self, *, before: datetime, after: bytes, limit: int) -> Purged:
        """Forget submissions that came before a time and whose records are all confirmed or rejected.

        Their records' rows and emptied packs go along; the data keys stay.

        Args:
            before: the time.
            after: where to begin: ids behind this one; empty for the first.
            limit: how many to look at.
        """

    @abstractmethod
    async def record_ids(self, *, after: bytes, limit: int) -> Sequence[bytes]:
        """Return ids of records whose key is held, behind an id."""

    @abstractmethod
    async def pull_jobs(self, *, now: datetime, horizon: datetime) -> int:
        """Make jobs due that wait for longer than anything is ever made to; return how many."""
