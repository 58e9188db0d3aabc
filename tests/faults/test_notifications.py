"""`kill -9` while a notice is on its way, and a database that stops: it is told at least once."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from caregrid.errors import Recoverable
from caregrid.webhooks import WebhookVerifier, new_secret
from ocw_sidecar.adapters.postgres import Access, PostgresDatabase
from ocw_sidecar.adapters.sql.channels import SqlChannelBook
from ocw_sidecar.adapters.sql.deliveries import NEVER, SqlOutbox
from ocw_sidecar.adapters.sql.notices import SQL, SqlNotices, add
from ocw_sidecar.api import create_token
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.notifications.preferences import SealedChannel, channel_id_of
from ocw_sidecar.notifications.targets import Origin
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, PATIENT, rig
from tests.databases import TEMPLATE, running_server
from tests.notifying import T0, site_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caregrid.webhooks import WebhookMessage
    from ocw_sidecar.adapters.sql import Session
    from ocw_sidecar.notifications.items import Notice
    from tests.notifying import Site
    from tests.postgres_server import PostgresServer

SCRIPT = Path(__file__).with_name("sidecar_process.py")
CANARY = "canary-5b1e77c0"
SECRET = new_secret()
PATIENCE_S = 60
ALICE = b"\x0a" * 32


@dataclass
class Hospital:
    """A sidecar in a process of its own, and the address that its organisation is told at."""

    home: Path
    outside: Path
    verifier: WebhookVerifier = field(default_factory=lambda: WebhookVerifier([SECRET]))
    process: subprocess.Popen[bytes] | None = None
    received: list[WebhookMessage] = field(default_factory=list)
    kills: int = 0  #: at so many messages the process is killed before it has an answer

    @property
    def log(self) -> Path:
        """What the process says."""
        return self.outside / "sidecar.log"

    async def take(self, request: web.Request) -> web.Response:
        """Note a message; kill its sender, if that is due."""
        self.received.append(self.verifier.verify(request.headers, await request.read()))
        if len(self.received) <= self.kills:
            self.kill()
        return web.Response(status=204)

    def start(self, url: str) -> None:
        """Start the sidecar."""
        channels = [{"type": "webhook", "url": f"{url}/{CANARY}", "secrets": [SECRET]}]
        (self.outside / "ready.json").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(self.home), str(self.outside)],
                stdout=log,
                stderr=log,
                env={"CAREGRID_NOTIFICATIONS__CHANNELS": json.dumps(channels)},
            )

    async def url(self) -> str:
        """Return where it listens, once it does."""
        ready = self.outside / "ready.json"
        async with asyncio.timeout(PATIENCE_S):
            while not ready.exists():
                assert self.process is not None
                assert self.process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)
        return str(json.loads(ready.read_text())["url"])

    def kill(self) -> None:
        """Kill the process."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE_S)

    async def count(self, wanted: int) -> None:
        """Wait until so many messages have come."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.received) < wanted:  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.05)


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    """A hospital without a running sidecar; whatever runs at the end is killed."""
    home, outside = tmp_path / "home", tmp_path / "outside"
    outside.mkdir()
    made = Hospital(home=home, outside=outside)
    yield made
    made.kill()


async def test_kill_between_sending_and_noting(hospital: Hospital) -> None:
    """A message whose sender dies before it has noted it comes again, under the same id."""
    token = create_token(hospital.home)
    app = web.Application()
    app.router.add_post("/{path:.*}", hospital.take)
    async with TestServer(app, skip_url_asserts=True) as server:
        address = f"http://127.0.0.1:{server.port}"
        hospital.kills = 2
        hospital.start(address)
        await _submit_what_is_invalid(await hospital.url(), token)
        for number in (1, 2):
            await hospital.count(number)
            hospital.start(address)
        await hospital.count(3)
        await _submit_what_is_invalid(await hospital.url(), token, note="another")
        await hospital.count(4)
    first, second, third, other = hospital.received
    assert {first.id} == {second.id, third.id}
    assert [False, True, True, False] == [each.repeated for each in hospital.received]
    assert ("record_failed", "record_failed") == (first.type, other.type)
    assert "VALIDATION_FAILED" == first.notices[0]["facts"]["code"]
    places = [path for path in hospital.home.rglob("*") if path.is_file()] + [hospital.log]
    assert [] == [path for path in places if CANARY.encode() in path.read_bytes()]
    assert CANARY not in repr(hospital.received)


async def _submit_what_is_invalid(url: str, token: str, *, note: str = "") -> None:
    resource = {"resourceType": "Observation", "status": CANARY, "note": [{"text": CANARY + note}]}
    headers = {
        "Authorization": f"Bearer {token}",
        "X-CareGrid-Patient": PATIENT.hex(),
        "Content-Type": "application/fhir+json",
    }
    body = json.dumps(resource).encode()
    async with (
        ClientSession(headers=headers) as session,
        session.post(f"{url}/v1/submissions", data=body) as sent,
    ):
        assert 202 == sent.status, await sent.text()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that syncs every commit to disk."""
    with running_server(durable=True) as made:
        yield made


async def test_database_stops_while_notices_go_out(server: PostgresServer, tmp_path: Path) -> None:
    """Over a restart of the database every notice arrives, and what was kept is not lost."""
    settings = Settings.load(home=tmp_path, organisation=ORGANISATION, min_free_disk=0, tick_s=0.05)
    name = await asyncio.to_thread(server.create_database, template=TEMPLATE)
    database = PostgresDatabase.open(Access(server.url(name)))
    async with rig(settings) as sidecar:
        site = site_on(database, sidecar)
        await site.subscribe(ALICE, "mail")
        await site.tell(ALICE, *range(60))
        site.fakes.delays["mail"] = 0.02
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(_drive(site, stopped))
            while len(site.fakes.sent) < 10:  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.start)
            await _until_drained(site)
            stopped.set()
            site.rig.bench.bells.ring_all()
    assert 60 == len(set(site.fakes.ids("mail")))
    assert 60 == (await site.notices.after(ALICE, None, 1)).newest
    await database.close()


async def _drive(site: Site, stopped: asyncio.Event) -> None:
    step = site.step()
    while not stopped.is_set():
        with suppress(Recoverable):  # as every worker's loop does
            await step.run_once()
        site.clock.now += timedelta(seconds=10)  # leases of turns that were cut short run out
        await asyncio.sleep(0.05)


async def _until_drained(site: Site) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(Recoverable):
                if (await site.outbox.tallies())["waiting"] == 0:
                    return
            await asyncio.sleep(0.1)


async def test_lanes_end_and_a_notice_from_another_process_meet(server: PostgresServer) -> None:
    """Whichever commits first, the channel wakes for what came in while a lane on it ended."""
    name = await asyncio.to_thread(server.create_database, template=TEMPLATE)
    here, there = (PostgresDatabase.open(Access(server.url(name))) for _ in range(2))
    book, outbox = SqlChannelBook(here, lambda: T0), SqlOutbox(here)
    await SqlNotices(here).add([_told(0)])
    await book.replace(ALICE, Origin.OWN, [_channel()])
    for number, notice_first in enumerate((True, False), start=1):
        await SqlNotices(here).add([_told(10 * number)])
        (turn,) = await outbox.claim(sound=1, troubled=1, batch=9, now=T0, until=T0 + timedelta(minutes=1))
        await outbox.note_sent(turn, [each.id for each in turn.deliveries], until=T0 + timedelta(minutes=1))
        release = threading.Event()
        late, ending = _told(10 * number + 1), {"id": turn.channel, "lease": turn.lease}

        def tell(db: Session, late: Notice = late) -> None:
            add(db, [late])

        def end(db: Session, ending: dict[str, bytes] = ending) -> None:
            db.execute(SQL["channel_sound"], ending)
            db.execute(SQL["release_channel"], {"never": NEVER, **ending})

        def slowly(db: Session, work: Callable[[Session], None], release: threading.Event = release) -> None:
            work(db)
            assert release.wait(PATIENCE_S)

        first, second = (tell, end) if notice_first else (end, tell)
        async with asyncio.TaskGroup() as group:
            group.create_task(here.write(partial(slowly, work=first)))
            await asyncio.sleep(0.3)
            group.create_task(there.write(second))
            await asyncio.sleep(0.3)
            release.set()
        (turn,) = await outbox.claim(sound=1, troubled=1, batch=9, now=T0, until=T0)
        assert [10 * number + 1] == [each.posted.notice.facts["block"] for each in turn.deliveries]
        await outbox.note_sent(turn, [each.id for each in turn.deliveries], until=T0)
        await outbox.finish(turn)
    for database in (here, there):
        await database.close()


def _told(number: int) -> Notice:
    return notice(NoticeKind.ACCESS_GRANTED, ALICE, T0, block=number)


def _channel() -> SealedChannel:
    return SealedChannel(
        id=channel_id_of(ALICE, Origin.OWN, 0),
        slot=0,
        sealed=b"s" * 100,
        wrapped_key=b"w" * 61,
        kinds=frozenset(NoticeKind),
        digest_minute=None,
    )
