"""What notifications need of a database and of the ways to a recipient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ocw_sidecar.notifications.delivery import Fault, Turn
    from ocw_sidecar.notifications.feed import Page
    from ocw_sidecar.notifications.items import Notice, NoticeKind
    from ocw_sidecar.notifications.messages import Message
    from ocw_sidecar.notifications.preferences import SealedChannel, StoredChannel
    from ocw_sidecar.notifications.targets import Origin, Target


class Notices(ABC):
    """The notices that are kept, by recipient. Every method is one transaction."""

    @abstractmethod
    async def add(self, notices: Sequence[Notice]) -> int:
        """Keep notices, and have them delivered; return how many were new to their recipients."""

    @abstractmethod
    async def after(self, recipient: bytes, position: int | None, limit: int) -> Page:
        """Return some of a recipient's notices behind a position, the oldest first; None means all."""

    @abstractmethod
    async def wants(self, recipient: bytes, kind: NoticeKind) -> bool:
        """Tell whether a recipient has a channel for notices of a kind."""

    @abstractmethod
    async def oversee(self, account: bytes) -> None:
        """Make an account the one that is told of what fails here, and no other."""

    @abstractmethod
    async def purge(self, before: datetime, limit: int) -> int:
        """Forget up to `limit` notices older than this, with their deliveries; return how many."""


class Outbox(ABC):
    """What is to be delivered, by channel. One lane at a time holds a channel, by a lease."""

    @abstractmethod
    async def has_due(self, now: datetime) -> bool:
        """Tell whether some channel has something to deliver."""

    @abstractmethod
    async def claim(
        self, *, sound: int, troubled: int, batch: int, now: datetime, until: datetime
    ) -> list[Turn]:
        """Lease channels with what is due on each, at most `batch`.

        Args:
            sound: how many channels at most whose last delivery succeeded.
            troubled: how many at most whose last one did not.
            batch: how many deliveries of each.
            now: what is due by then.
            until: the leases' end.
        """

    @abstractmethod
    async def note_sent(self, turn: Turn, deliveries: Sequence[int], *, until: datetime) -> None:
        """Note that deliveries were made, and keep the lease until then."""

    @abstractmethod
    async def note_fault(self, turn: Turn, fault: Fault) -> None:
        """Note that deliveries failed, by a refusal or until they are tried again; the lease ends."""

    @abstractmethod
    async def finish(self, turn: Turn) -> None:
        """Give a lease back after success."""

    @abstractmethod
    async def recover(self, now: datetime) -> int:
        """At a start, void the leases of the dead where that can be told, which is where we are alone."""

    @abstractmethod
    async def replay_failed(self, recipient: bytes | None, now: datetime) -> int:
        """Try again what was given up, of one recipient or of all; return the number of deliveries."""

    @abstractmethod
    async def pull(self, *, now: datetime, leased: datetime, rested: datetime) -> int:
        """Wake channels that wait for longer than they ever do: the wall clock was set back.

        What waits for a time of day goes on waiting for it.

        Args:
            now: what is woken is due then.
            leased: the end of a lease that begins now; none ends later.
            rested: the end of the longest rest that begins now; none ends later.

        Returns:
            The number of leases, channels and deliveries that were changed.
        """

    @abstractmethod
    async def tallies(self) -> Mapping[str, int]:
        """Return the number of deliveries that wait, and of those that were given up."""


class ChannelBook(ABC):
    """Which channels each recipient has; where they lead lies there sealed."""

    @abstractmethod
    async def channels(self, recipient: bytes, origin: Origin) -> list[StoredChannel]:
        """Return a recipient's channels by slot."""

    @abstractmethod
    async def knows(self, account: bytes) -> bool:
        """Tell whether an account was ever told something, or decides for a patient here."""

    @abstractmethod
    async def replace(self, recipient: bytes, origin: Origin, channels: Sequence[SealedChannel]) -> None:
        """Make these the recipient's channels; what waits for a slot goes the new way, or nowhere."""


class Channel(ABC):
    """One way to one recipient."""

    @abstractmethod
    async def send(self, message: Message) -> None:
        """Deliver a message; when this returns the other side has taken it.

        Raises:
            ChannelUnreachable: no answer in time, or one that says to come again.
            ChannelRefused: the other side refuses it, or this way may not be used.
        """


class Channels(ABC):
    """Opens ways to recipients."""

    @abstractmethod
    def open(self, target: Target, *, trusted: bool) -> Channel:
        """Return the channel to a target. The operator's own are `trusted` with private addresses. Blocks.

        Raises:
            ChannelRefused: such a target may not be used; the message says why, without quoting it.
        """

    @abstractmethod
    async def close(self) -> None:
        """Release connections and threads."""
