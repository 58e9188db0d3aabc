"""What notifying needs, driven by hand: channels that do as told, and a clock that moves when told."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from caregrid.errors import ChannelRefused
from caregrid.testing import MemoryKeyStore
from ocw_sidecar.adapters.sql.channels import SqlChannelBook
from ocw_sidecar.adapters.sql.deliveries import SqlOutbox
from ocw_sidecar.adapters.sql.notices import SqlNotices
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.notifications.port import Channel, Channels
from ocw_sidecar.notifications.preferences import Choice, Preferences
from ocw_sidecar.notifications.targets import Target, TargetType
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.workers.notifications import NotificationStep

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.notifications.messages import Message
    from ocw_sidecar.testing import Rig

T0 = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


@dataclass
class Fakes(Channels):
    """Channels whose behaviour their URL names."""

    sent: list[tuple[str, Message, float]] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    tries: list[str] = field(default_factory=list)

    def open(self, target: Target, *, trusted: bool) -> Channel:
        """Return a channel."""
        if "forbidden" in target.url and not trusted:
            raise ChannelRefused
        if "unreadable" in target.url:
            raise ChannelRefused("such a url may not be used")
        return Fake(self, target.url.partition("://")[2])

    async def close(self) -> None:
        """Nothing is open."""

    def ids(self, name: str) -> list[str]:
        """Return what a channel has got."""
        return [message.id for at, message, _ in self.sent if at == name]


@dataclass
class Fake(Channel):
    """One of them."""

    all: Fakes
    name: str

    async def send(self, message: Message) -> None:
        """Do as told."""
        self.all.tries.append(self.name)
        await asyncio.sleep(self.all.delays.get(self.name, 0))
        if (fault := self.all.faults.get(self.name)) is not None:
            raise fault
        self.all.sent.append((self.name, message, time.monotonic()))


@dataclass
class Clock:
    """A clock that moves when told."""

    now: datetime = T0

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


@dataclass(kw_only=True)
class Site:
    """Everything that notifying needs, driven by hand."""

    rig: Rig
    clock: Clock
    fakes: Fakes
    notices: SqlNotices
    outbox: SqlOutbox
    preferences: Preferences
    stop: asyncio.Event

    def step(self) -> NotificationStep:
        """Return a step as a start of the daemon would."""
        bench = self.rig.bench
        return NotificationStep(
            replace(bench, ports=replace(bench.ports, now=self.clock)),
            notices=self.notices,
            outbox=self.outbox,
            preferences=self.preferences,
            stop=self.stop,
        )

    async def subscribe(self, recipient: bytes, *names: str, digest_minute: int | None = None) -> None:
        """Give a recipient channels."""
        targets = [Target(type=TargetType.APPRISE, url=f"mailtos://{name}") for name in names]
        choices = [Choice(target=target, digest_minute=digest_minute) for target in targets]
        await self.preferences.replace(recipient, choices)

    async def tell(
        self, recipient: bytes, *numbers: int, kind: NoticeKind = NoticeKind.ACCESS_GRANTED
    ) -> None:
        """Have a recipient told."""
        told = [notice(kind, recipient, self.clock.now, block=number) for number in numbers]
        await self.notices.add(told)
        self.rig.bench.bells.ring(Bell.NOTIFY)

    async def later(self, step: NotificationStep, by: timedelta) -> None:
        """Let time pass, and run once."""
        self.clock.now += by
        await step.run_once()


def site_on(database: Database, sidecar: Rig) -> Site:
    """Return a site on an open database."""
    clock, fakes = Clock(), Fakes()
    book = SqlChannelBook(database, clock)
    return Site(
        rig=sidecar,
        clock=clock,
        fakes=fakes,
        notices=SqlNotices(database),
        outbox=SqlOutbox(database),
        preferences=Preferences(book, MemoryKeyStore(), fakes),
        stop=asyncio.Event(),
    )
