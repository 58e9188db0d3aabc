"""Deliveries: at least once each, given up in the end, and no channel waits for another."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from caregrid.errors import ChannelRefused, ChannelUnreachable, ConfigInvalid, InputInvalid
from caregrid.testing import MemoryKeyStore
from ocw_sidecar.notifications.items import NoticeKind
from ocw_sidecar.notifications.messages import message_of
from ocw_sidecar.notifications.preferences import Choice
from ocw_sidecar.notifications.targets import Target, TargetType
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, rig
from ocw_sidecar.workers import notifications
from ocw_sidecar.workers.notifications import MAX_REFUSALS
from tests.databases import sqlite_database
from tests.notifying import Site, site_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


CANARY = "canary-5b1e77c0"
ALICE, BOB, CAROL = (bytes([number]) * 32 for number in (0x0A, 0x0B, 0x0C))


@asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    """A site on a database of its own."""
    chosen = Settings.load(
        home=folder / "home", organisation=ORGANISATION, min_free_disk=0, tick_s=0.02, **settings
    )
    async with rig(chosen) as sidecar, sqlite_database(folder) as database:
        yield site_on(database, sidecar)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site with the default settings."""
    async with opened(tmp_path) as made:
        yield made


async def test_notice_reaches_every_channel_once(site: Site) -> None:
    """Each channel of a recipient gets his notices, and nothing twice."""
    await site.subscribe(ALICE, "mail", "chat")
    await site.subscribe(BOB, "bob")
    await site.tell(ALICE, 1, 2)
    step = site.step()
    assert 2 == await step.run_once()
    assert 0 == await step.run_once()
    assert (2, 2, 0) == tuple(len(site.fakes.ids(name)) for name in ("mail", "chat", "bob"))
    assert set(site.fakes.ids("mail")) == set(site.fakes.ids("chat"))


async def test_dead_and_slow_channels_delay_nobody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one channel hangs for its whole deadline and one is slow, a good one has its notices at once."""
    monkeypatch.setattr(notifications, "SEND_TIMEOUT_S", 2.0)
    site.fakes.delays = {"dead": 60.0, "slow": 1.0}
    for recipient, name in ((ALICE, "dead"), (BOB, "slow"), (CAROL, "good")):
        await site.subscribe(recipient, name)
        await site.tell(recipient, 1)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        run = group.create_task(site.step().run_once())
        await asyncio.sleep(0.3)
        assert 1 == len(site.fakes.ids("good"))
        told_at = time.monotonic()
        await site.tell(CAROL, 2)  # comes in while the others are under way
        while len(site.fakes.ids("good")) < 2:  # noqa: ASYNC110 - another task's doing, and bounded below
            await asyncio.sleep(0.01)
        assert time.monotonic() - told_at < 1.0
        assert not run.done()
    assert time.monotonic() - began < 20
    assert (0, 1) == (len(site.fakes.ids("dead")), len(site.fakes.ids("slow")))


async def test_many_dead_channels_leave_lanes_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channels known to fail share a few lanes, so that more of them than lanes stop nobody."""
    monkeypatch.setattr(notifications, "SEND_TIMEOUT_S", 1.0)
    async with opened(tmp_path, notifications={"lanes": 4}) as site:
        dead = [bytes([number]) * 32 for number in range(100, 112)]
        for number, recipient in enumerate(dead):
            await site.subscribe(recipient, f"dead{number}")
            await site.tell(recipient, 1)
            site.fakes.faults[f"dead{number}"] = ChannelUnreachable()
        step = site.step()
        await step.run_once()  # all fail once, quickly
        site.fakes.faults.clear()
        site.fakes.delays = {f"dead{number}": 60.0 for number in range(len(dead))}
        site.clock.now += timedelta(minutes=1)
        async with asyncio.TaskGroup() as group:
            run = group.create_task(step.run_once())
            await asyncio.sleep(0.1)
            await site.subscribe(CAROL, "good")
            told_at = time.monotonic()
            await site.tell(CAROL, 1)
            while not site.fakes.ids("good"):  # noqa: ASYNC110 - another task's doing, and bounded below
                await asyncio.sleep(0.01)
            assert time.monotonic() - told_at < 0.9
            site.stop.set()
            site.fakes.delays.clear()
            await run


async def test_failing_channel_is_tried_again_until_it_is_back(site: Site) -> None:
    """A fault that passes loses nothing; what waited goes out, once, with the same ids."""
    await site.subscribe(ALICE, "mail")
    site.fakes.faults["mail"] = ChannelUnreachable()
    await site.tell(ALICE, 1, 2)
    step = site.step()
    await step.run_once()
    assert ["mail"] == site.fakes.tries  # one message tells that it is down
    await step.run_once()
    assert ["mail"] == site.fakes.tries  # it rests
    for _ in range(20):
        await site.later(step, timedelta(minutes=20))
    assert 21 == len(site.fakes.tries)
    site.fakes.faults.clear()
    await site.later(step, timedelta(minutes=20))
    assert 2 == len(set(site.fakes.ids("mail")))
    assert 23 == len(site.fakes.tries)
    assert {"waiting": 0, "failed": 0} == await site.outbox.tallies()


async def test_refused_message_is_given_up_and_holds_up_none(site: Site) -> None:
    """A message that the other side will not take ends after some tries; its neighbours get through."""
    await site.subscribe(ALICE, "mail")
    await site.tell(ALICE, 1)
    site.fakes.faults["mail"] = ChannelRefused()
    step = site.step()
    await step.run_once()
    await site.tell(ALICE, 2)
    for _ in range(2 * MAX_REFUSALS):
        await site.later(step, timedelta(hours=1))
    assert 2 * MAX_REFUSALS == len(site.fakes.tries)
    assert {"waiting": 0, "failed": 2} == await site.outbox.tallies()
    site.fakes.faults.clear()
    assert 2 == await site.outbox.replay_failed(ALICE, site.clock.now)
    await site.later(step, timedelta(hours=1))
    assert 2 == len(site.fakes.ids("mail"))


async def test_dead_channel_is_given_up_in_the_end(site: Site) -> None:
    """After some days nobody believes in it any more, and its notices count as failed."""
    await site.subscribe(ALICE, "mail")
    site.fakes.faults["mail"] = ChannelUnreachable()
    await site.tell(ALICE, 1)
    step = site.step()
    await step.run_once()
    await site.later(step, timedelta(days=2))
    assert {"waiting": 1, "failed": 0} == await site.outbox.tallies()
    await site.later(step, timedelta(days=1, seconds=1))
    assert {"waiting": 0, "failed": 1} == await site.outbox.tallies()
    (described,) = await site.preferences.described(ALICE)
    assert (3, 0, 1) == (described["failures"], described["waiting"], described["given_up"])


async def test_bug_in_one_channel_stops_no_other(site: Site) -> None:
    """What nobody expected is put off like a refusal, and its text, which may hold a token, is not logged."""
    await site.subscribe(ALICE, "broken")
    await site.subscribe(BOB, "good")
    site.fakes.faults["broken"] = RuntimeError(CANARY)
    await site.tell(ALICE, 1)
    await site.tell(BOB, 1)
    with capture_logs() as logs:
        await site.step().run_once()
    assert 1 == len(site.fakes.ids("good"))
    (failed,) = [line for line in logs if line["event"] == "delivery_failed"]
    assert ("UNEXPECTED", "RuntimeError") == (failed["reason"], failed["fault"])
    assert CANARY not in repr(logs)


async def test_digest_is_one_message_and_urgent_is_its_own(site: Site) -> None:
    """Once a day everything in one message; emergency access at once."""
    await site.subscribe(ALICE, "mail", digest_minute=13 * 60)
    await site.tell(ALICE, 1, 2, 3)
    await site.tell(ALICE, 4, kind=NoticeKind.EMERGENCY_ACCESS)
    step = site.step()
    await step.run_once()
    assert [1] == [len(message.posted) for _, message, _ in site.fakes.sent]
    await site.later(step, timedelta(hours=1))
    assert [1, 3] == [len(message.posted) for _, message, _ in site.fakes.sent]


async def test_digest_that_is_sent_again_has_its_id(site: Site) -> None:
    """A receiver can drop the second copy of a digest too."""
    await site.subscribe(ALICE, "mail", digest_minute=13 * 60)
    await site.tell(ALICE, 1, 2)
    site.clock.now += timedelta(hours=1)
    turns = await site.outbox.claim(
        sound=1, troubled=1, batch=10, now=site.clock.now, until=site.clock.now + timedelta(minutes=1)
    )
    assert 1 == len(turns)  # a process that died after sending, before noting
    step = site.step()
    await site.later(step, timedelta(minutes=2))
    (again,) = site.fakes.ids("mail")
    expected = message_of([each.posted for each in turns[0].deliveries]).id
    assert expected == again


async def test_stopping_begins_nothing_new(site: Site) -> None:
    """At the end what is under way is finished and noted; the rest waits for the next start."""
    await site.subscribe(ALICE, "slow")
    site.fakes.delays["slow"] = 0.2
    await site.tell(ALICE, 1, 2)
    step = site.step()
    async with asyncio.TaskGroup() as group:
        run = group.create_task(step.run_once())
        await asyncio.sleep(0.1)
        site.stop.set()
        await run
    assert 1 == len(site.fakes.ids("slow"))
    assert {"waiting": 1, "failed": 0} == await site.outbox.tallies()
    site.stop.clear()
    await site.step().run_once()
    assert 2 == len(set(site.fakes.ids("slow")))


async def test_organisations_channels_come_from_the_settings(tmp_path: Path) -> None:
    """The operator names where the organisation is told; a start makes the database agree."""
    channels = [{"type": "apprise", "url": "mailtos://forbidden-to-others"}]
    async with opened(tmp_path, notifications={"channels": channels}) as site:
        await site.step().run_once()
        await site.tell(ORGANISATION, 1, kind=NoticeKind.STORAGE_TROUBLE)
        await site.step().run_once()
        assert 1 == len(site.fakes.ids("forbidden-to-others"))
        with pytest.raises(ChannelRefused):
            await site.subscribe(ALICE, "forbidden-to-others")


@pytest.mark.parametrize(
    "channel",
    [
        {"type": "apprise", "url": f"mailtos://unreadable/{CANARY}"},
        {"type": "webhook", "url": f"https://example.org/{CANARY}"},
        {"type": "apprise", "url": f"mailtos://{CANARY}", "kinds": ["everything"]},
        {"type": "apprise", "url": f"mailtos://{CANARY}", "digest_at": "noon"},
    ],
)
async def test_bad_channel_in_the_settings_stops_the_start(tmp_path: Path, channel: dict[str, Any]) -> None:
    """Nonsense is found when the sidecar starts, and said without quoting it."""
    async with opened(tmp_path, notifications={"channels": [channel]}) as site:
        with pytest.raises(ConfigInvalid, match=r"notifications\.channels") as refused:
            await site.step().run_once()
    assert CANARY not in str(refused.value)


async def test_old_notices_are_forgotten(site: Site) -> None:
    """What nobody has read for the retention is gone, without anybody asking."""
    await site.tell(ALICE, 1)
    step = site.step()
    await step.run_once()
    await site.later(step, timedelta(days=89))
    assert 1 == len((await site.notices.after(ALICE, None, 10)).items)
    await site.later(step, timedelta(days=2))
    assert [] == list((await site.notices.after(ALICE, None, 10)).items)


async def test_recipient_has_a_few_channels(site: Site) -> None:
    """Nobody fills the database with addresses."""
    with pytest.raises(InputInvalid):
        await site.subscribe(ALICE, *(f"mail{number}" for number in range(9)))


async def test_no_address_token_or_account_lies_open(site: Site, tmp_path: Path) -> None:
    """Channels are sealed in the database, and neither they nor recipients are logged."""
    secret = b"canary-secret-".ljust(32, b"!")
    target = Target(type=TargetType.WEBHOOK, url=f"https://example.org/{CANARY}", secrets=(secret,))
    with capture_logs() as logs:
        await site.preferences.replace(ALICE, [Choice(target=target)])
        await site.tell(ALICE, 1)
        site.fakes.faults[f"example.org/{CANARY}"] = ChannelUnreachable()
        step = site.step()
        await step.run_once()
        site.fakes.faults.clear()
        await site.later(step, timedelta(hours=1))
    assert 1 == len(site.fakes.sent)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("queue.sqlite3*"))
    assert ALICE in kept  # so this is where channels would be found
    assert [] == [word for word in (CANARY.encode(), b"example.org", secret, b"whsec") if word in kept]
    said = repr(logs)
    assert "delivered" in said
    assert [] == [word for word in (CANARY, "example.org", ALICE.hex(), "canary-secret") if word in said]
    (described,) = await site.preferences.described(ALICE)
    assert (False, "example.org") == (CANARY in repr(described), described["host"])


async def test_channel_sealed_by_another_key_is_a_fault_of_its_own(site: Site) -> None:
    """A row that does not open stops neither the step nor the other channels."""
    await site.subscribe(ALICE, "mail")
    site.preferences._key_store = MemoryKeyStore()
    await site.subscribe(BOB, "good")
    await site.tell(ALICE, 1)
    await site.tell(BOB, 1)
    with capture_logs() as logs:
        await site.step().run_once()
    assert 1 == len(site.fakes.ids("good"))
    assert ["WRONG_KEY"] == [line["reason"] for line in logs if line["event"] == "delivery_failed"]
