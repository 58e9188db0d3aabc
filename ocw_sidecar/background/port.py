"""The tables `blocked_ips` and `attack_signatures` as the tasks see them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from caregrid.chain.port import AttackSignature, FinalizedBlock, IpBlock
    from ocw_sidecar.background.items import Count, Entry, Kind, NewBlock, NewSignature, Settled


class ThreatTables(ABC):
    """Entries of ours with what is to become of them, and others' as they stand on the chain.

    Durable; every method is one transaction.
    """

    @abstractmethod
    async def block(self, wanted: Sequence[NewBlock], *, now: datetime) -> int:
        """Note networks that we want blocked; return how many were not wanted just so before.

        Raises:
            QueueFull: too many entries of ours; nothing was noted.
        """

    @abstractmethod
    async def unblock(self, nets: Sequence[str], *, now: datetime) -> int:
        """Note networks (CIDR) that we do not want blocked any more; return how many we had."""

    @abstractmethod
    async def register(self, wanted: Sequence[NewSignature], *, now: datetime) -> int:
        """Note signatures; return how many are new. One that is there stays as it is.

        Raises:
            QueueFull: too many entries of ours; nothing was noted.
        """

    @abstractmethod
    async def retire(self, signature_ids: Sequence[bytes], *, now: datetime) -> int:
        """Note signatures that we do not want to share any more; return how many we had."""

    @abstractmethod
    async def claim(self, kind: Kind, limit: int, *, now: datetime, until: datetime) -> list[Entry]:
        """Return entries of ours that are due, the longest due first, and nobody else's until a time."""

    @abstractmethod
    async def note_sending(self, entries: Sequence[Entry]) -> None:
        """Note with which ends networks are about to be sent (`sent_until`)."""

    @abstractmethod
    async def settle(self, settled: Sequence[Settled], *, now: datetime) -> None:
        """Note what came of attempts; what was asked for differently meanwhile stays pending."""

    @abstractmethod
    async def release(self, entries: Sequence[Entry], *, now: datetime) -> None:
        """Give entries back, of which nothing was sent."""

    @abstractmethod
    async def counts(self) -> list[Count]:
        """Return how many entries of ours are how far."""

    @abstractmethod
    async def cursor(self) -> int | None:
        """Return the last block that was taken in; None before the first."""

    @abstractmethod
    async def take_in(
        self, blocks: Sequence[FinalizedBlock], signatures: Sequence[AttackSignature], *, now: datetime
    ) -> int:
        """Take in finalized blocks, next after the cursor; return how many entries they tell of.

        Args:
            blocks: in order, without a gap; others than the next are passed over.
            signatures: those that the blocks say were registered, as far as they still stand.
            now: when the last of the blocks is new; tells about when entries end.
        """

    @abstractmethod
    async def take_all(
        self, blocks: Sequence[IpBlock], signatures: Sequence[AttackSignature], *, height: int, now: datetime
    ) -> int:
        """Take in all that stands on the chain as of a block, in place of what stood; return the number.

        Raises:
            QueueFull: the chain holds more than fits; nothing was changed.
        """

    @abstractmethod
    async def expired(self, *, now: datetime, height: int | None) -> int:
        """Count the networks of which the time is over, by the clock and by the chain where it is known."""

    @abstractmethod
    async def remove_expired(self, *, now: datetime, height: int | None) -> int:
        """Remove these, all or none; return how many."""
