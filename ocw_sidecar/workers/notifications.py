"""Takes notices to their recipients' channels: at least once each, and no channel waits for another.

A channel is served by one lane at a time, over all processes; the lane sends what is due, one message after
another, and notes each. A channel that fails rests, longer each time, and is then tried with one message.
Such channels share a part of the lanes, so that however many of them stall, sound ones find a lane.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import CaregridError, ChannelRefused, ConfigInvalid, InputInvalid, Recoverable
from ocw_sidecar.notifications.delivery import Fault
from ocw_sidecar.notifications.items import URGENT
from ocw_sidecar.notifications.messages import message_of
from ocw_sidecar.notifications.parsing import choice_of
from ocw_sidecar.notifications.targets import Origin
from ocw_sidecar.pipeline.backoff import Backoff, RetryAt
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.faults import UNEXPECTED, place_of, reason_of
from ocw_sidecar.pipeline.steps.base import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocw_sidecar.notifications.delivery import Delivery, Turn
    from ocw_sidecar.notifications.port import Notices, Outbox
    from ocw_sidecar.notifications.preferences import Preferences
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.settings import Settings

#: Above every channel's own deadline; past it the channel itself hangs.
SEND_TIMEOUT_S: Final = 20.0
#: What one lane takes from a channel at once, and the most that a digest holds.
BATCH: Final = 100
#: Of the lanes, one in so many may serve channels whose last message failed.
TROUBLED_SHARE: Final = 4
#: A receiver that refuses a message this often will not take it.
MAX_REFUSALS: Final = 8
PURGE_EVERY: Final = timedelta(hours=1)
PURGE_BATCH: Final = 500

#: Between two messages to a channel that fails.
REST: Final = Backoff(base=timedelta(seconds=2), cap=timedelta(minutes=15), jitter=0.3, max_attempts=None)

log = structlog.get_logger()


def lease_of(settings: Settings) -> timedelta:
    """Return for how long a lane holds a channel unless it says more."""
    return timedelta(seconds=max(settings.lease_s, 2 * SEND_TIMEOUT_S))


class NotificationStep(Step):
    """Delivers what is due. A run lasts as long as something is under way, and takes in what comes meanwhile.

    Args:
        bench: the tools of all steps.
        notices: what is kept.
        outbox: what is to be delivered.
        preferences: opens the channels.
        stop: once it is set, a run begins nothing new.
        halted: while it says so, neither.
    """

    bell = Bell.NOTIFY

    def __init__(
        self,
        bench: Bench,
        *,
        notices: Notices,
        outbox: Outbox,
        preferences: Preferences,
        stop: asyncio.Event | None = None,
        halted: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(bench)
        self._notices, self._outbox, self._preferences = notices, outbox, preferences
        self._stop, self._halted = stop or asyncio.Event(), halted
        self._settings = bench.settings.notifications
        self._lease = lease_of(bench.settings)
        self._begun = False
        self._purged_at: datetime | None = None

    async def run_once(self) -> int:
        """Deliver until nothing is due and nothing is under way; return how many turns that took."""
        if not self._begun:
            await self._begin()
        await self._purge()
        outage, served = None, 0
        async with asyncio.TaskGroup() as group:
            try:
                served = await self._serve(group)
            except Recoverable as exc:
                outage = exc  # what is under way is finished all the same
        if outage is not None:
            raise outage
        return served

    async def _begin(self) -> None:
        organisation = self._bench.settings.organisation
        await self._notices.oversee(organisation)
        await self._outbox.recover(self._bench.ports.now())
        try:
            choices = [choice_of(channel.plain()) for channel in self._settings.channels]
            await self._preferences.replace(organisation, choices, origin=Origin.SETTINGS)
        except (InputInvalid, ChannelRefused) as exc:
            raise ConfigInvalid(f"notifications.channels is not usable: {exc}") from None
        self._begun = True

    async def _purge(self) -> None:
        now = self._bench.ports.now()
        if self._purged_at is not None and abs(now - self._purged_at) < PURGE_EVERY:
            return
        before = now - timedelta(seconds=self._settings.retention_s)
        if await self._notices.purge(before, PURGE_BATCH) < PURGE_BATCH:
            self._purged_at = now

    async def _serve(self, group: asyncio.TaskGroup) -> int:
        lanes: dict[asyncio.Task[None], bool] = {}
        served = 0
        while True:
            rung = self._bench.bells.listen(self.bell)
            turns = await self._claim(list(lanes.values()))
            served += len(turns)
            for turn in turns:
                lanes[group.create_task(self._lane(turn))] = turn.failures > 0
            if not lanes:
                return served
            if not turns:
                await self._news(group, lanes, rung)
            lanes = {lane: troubled for lane, troubled in lanes.items() if not lane.done()}

    async def _news(
        self, group: asyncio.TaskGroup, lanes: dict[asyncio.Task[None], bool], rung: asyncio.Event
    ) -> None:
        bell = group.create_task(rung.wait())
        await asyncio.wait(
            (*lanes, bell), timeout=self._bench.settings.tick_s, return_when=asyncio.FIRST_COMPLETED
        )
        bell.cancel()

    async def _claim(self, busy: list[bool]) -> list[Turn]:
        now = self._bench.ports.now()
        if self._ends() or not await self._outbox.has_due(now):
            return []
        for_troubled = max(1, self._settings.lanes // TROUBLED_SHARE)
        return await self._outbox.claim(
            sound=self._settings.lanes - for_troubled - busy.count(False),
            troubled=for_troubled - busy.count(True),
            batch=BATCH,
            now=now,
            until=now + self._lease,
        )

    def _ends(self) -> bool:
        return self._stop.is_set() or self._halted()

    async def _lane(self, turn: Turn) -> None:
        try:
            await self._deliver(turn)
        except Recoverable as exc:
            # The lease will run out, and the channel come back by itself.
            log.warning("delivery_not_noted", reason=exc.code)

    async def _deliver(self, turn: Turn) -> None:
        for batch in _messages(turn):
            fault = await self._send(turn, batch)
            if fault is not None:
                await self._outbox.note_fault(turn, self._judge(turn, batch, fault))
                return
            until = self._bench.ports.now() + self._lease
            await self._outbox.note_sent(turn, [each.id for each in batch], until=until)
            if self._ends():
                break
        await self._outbox.finish(turn)

    async def _send(self, turn: Turn, batch: Sequence[Delivery]) -> Exception | None:
        message = message_of([each.posted for each in batch])
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                channel = await self._preferences.channel(turn)
                await channel.send(message)
        except Exception as exc:  # noqa: BLE001 - whatever a channel does, the others go on; the log says where
            facts = {"message": message.id, "reason": _reason(exc), "failures": turn.failures + 1}
            if facts["reason"] == UNEXPECTED:
                facts |= {"fault": type(exc).__name__, "place": place_of(exc)}
            log.warning("delivery_failed", **facts)
            return exc
        log.info("delivered", message=message.id, notices=len(batch))
        return None

    def _judge(self, turn: Turn, batch: Sequence[Delivery], fault: Exception) -> Fault:
        now = self._bench.ports.now()
        decision = REST.decide(attempt=turn.failures + 1, now=now)
        refused = not isinstance(fault, Recoverable | TimeoutError | OSError)
        oldest = now - timedelta(seconds=self._settings.give_up_s)
        given_up = [
            each.id
            for each in batch
            if each.since <= oldest or (refused and each.attempts + 1 >= MAX_REFUSALS)
        ]
        return Fault(
            retried=[each.id for each in batch if each.id not in given_up],
            given_up=given_up,
            code=_reason(fault),
            due=decision.at if isinstance(decision, RetryAt) else now,
        )


def _messages(turn: Turn) -> Iterator[Sequence[Delivery]]:
    urgent = [each for each in turn.deliveries if each.posted.notice.kind in URGENT]
    others = [each for each in turn.deliveries if each.posted.notice.kind not in URGENT]
    for each in urgent:
        yield [each]
    if turn.digest and others:
        yield others
    elif not turn.digest:
        for each in others:
            yield [each]


def _reason(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "CHANNEL_UNREACHABLE"
    return fault.code if isinstance(fault, CaregridError) else reason_of(fault)
