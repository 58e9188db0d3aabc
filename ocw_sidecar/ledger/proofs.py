"""Which of our objects have tags, in which rounds they were asked, and how storage nodes answered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from caregrid.chain.port import ProofScheme
    from ocw_sidecar.ledger.items import KnownObject


@dataclass(frozen=True, kw_only=True, slots=True)
class Tagging:
    """An object whose nodes are to be given tags."""

    object_id: bytes
    attempts: int  #: that failed so far


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvedObject:
    """An object with a commitment on the chain, and when it was asked."""

    object_id: bytes
    round_at: int  #: the round it was last asked in; 0 before the first
    public_at: int  #: likewise with public proofs
    risk: int  #: 0 to 1000: of its nodes the worst, or a new one
    open_at: int | None  #: the round that is to be asked again
    misses: int  #: times that the open round went unanswered


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRecord:
    """How one storage node answered."""

    answers: int = 0  #: rounds in which it was right
    condemned: int = 0  #: rounds in which it was proved wrong
    silent: int = 0  #: rounds without a proof
    good: int = 0  #: rounds that count for it, in thousandths; older ones count less
    bad: int = 0  #: likewise against it


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofCounts:
    """How many objects there are of each kind."""

    objects: int
    proved: int  #: with a commitment on the chain
    waiting: int  #: some of whose nodes have no tags yet
    open: int  #: with a round that is to be asked again


class ProofBook(ABC):
    """Kept beside the ledger; a fold fills objects in from events. Every method is one transaction."""

    @abstractmethod
    async def due_taggings(self, limit: int, *, now: datetime) -> list[Tagging]:
        """Return objects that are to be tagged, the longest due first."""

    @abstractmethod
    async def keep_tags(self, object_id: bytes, scheme: ProofScheme, encoded: bytes) -> None:
        """Keep an object's list of tags instead of the one there was."""

    @abstractmethod
    async def tags(self, object_id: bytes, scheme: ProofScheme) -> bytes | None:
        """Return an object's encoded list of tags."""

    @abstractmethod
    async def note_committed(self, object_id: bytes, committed_at: int) -> None:
        """Note in which block the chain took the commitment; a round of an older one is open no more."""

    @abstractmethod
    async def finish_tagging(self, object_id: bytes) -> None:
        """Note that every node has its tags."""

    @abstractmethod
    async def postpone_tagging(self, object_id: bytes, *, due: datetime, reason: str) -> None:
        """Try a tagging again later."""

    @abstractmethod
    async def tag_again(self, object_id: bytes, *, now: datetime) -> None:
        """Have an object's nodes given tags once more, as after a repair."""

    @abstractmethod
    async def end(self, object_id: bytes) -> None:
        """Forget an object that the chain has not got."""

    @abstractmethod
    async def open_rounds(self, limit: int) -> list[ProvedObject]:
        """Return objects with a round that is to be asked again, the oldest first."""

    @abstractmethod
    async def oldest_rounds(self, height: int, limit: int) -> list[ProvedObject]:
        """Return objects that can be asked in the last round as of a height, the longest unasked first."""

    @abstractmethod
    async def riskiest_rounds(self, height: int, limit: int) -> list[ProvedObject]:
        """Return the same, the riskiest first, and of equal risk the longest unasked."""

    @abstractmethod
    async def never_asked(self, height: int, limit: int) -> list[KnownObject]:
        """Return objects of which no round can be asked yet as of a height, the longest unread first."""

    @abstractmethod
    async def note_round(self, asked: ProvedObject) -> None:
        """Note what a round leaves behind for its object."""

    @abstractmethod
    async def nodes(self, names: Iterable[str]) -> Mapping[str, NodeRecord]:
        """Return those of the nodes that are known."""

    @abstractmethod
    async def worst_nodes(self, limit: int) -> Mapping[str, NodeRecord]:
        """Return nodes, those first that were proved wrong, then those that more speaks against."""

    @abstractmethod
    async def note_nodes(self, records: Mapping[str, NodeRecord], *, height: int, keep: int) -> None:
        """Note how nodes have answered, and of all keep only the `keep` seen last."""

    @abstractmethod
    async def counts(self) -> ProofCounts:
        """Return how many objects there are."""

    @abstractmethod
    async def overdue(self, before: int, limit: int) -> int:
        """Return how many objects were not asked since a round, at most `limit`."""
