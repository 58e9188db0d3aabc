"""The queue over years: what is long final is forgotten, keys are kept; and clocks that are set."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from caregrid.testing import MemoryKeyStore
from ocw_sidecar.adapters.sql.channels import SqlChannelBook
from ocw_sidecar.adapters.sql.deliveries import SqlOutbox
from ocw_sidecar.adapters.sql.notices import SqlNotices
from ocw_sidecar.adapters.sql.upkeep import SqlUpkeep
from ocw_sidecar.notifications.delivery import Fault
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.notifications.preferences import Choice, Preferences
from ocw_sidecar.notifications.targets import Target, TargetType
from ocw_sidecar.pipeline.states import Stage
from ocw_sidecar.ports import utc_now
from ocw_sidecar.workers.jumps import JumpWatch
from ocw_sidecar.workers.notifications import REST
from ocw_sidecar.workers.purge import PurgeJob
from tests.databases import TEMPLATE
from tests.notifying import Fakes
from tests.unit.sidecar.worker_world import GRANTEE, Working, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.postgres_server import PostgresServer


@pytest.fixture(params=["sqlite", "postgres"])
async def sidecar(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Working]:
    """A sidecar on either kind of database."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        monkeypatch.setenv("CAREGRID_DATABASE__URL", server.url(server.create_database(template=TEMPLATE)))
    async with working(tmp_path) as opened:
        # Ids tell when something came in; they are of the real time.
        opened.time.now = utc_now()
        yield opened


async def purge(sidecar: Working, *, days: float) -> int:
    """Let days pass and purge."""
    sidecar.time.pass_by(days * 86_400)
    upkeep = SqlUpkeep(sidecar.rig.database)
    return (await PurgeJob(sidecar.rig.bench, upkeep).run())["purged"]


async def test_what_is_long_final_is_forgotten(sidecar: Working) -> None:
    """Submission, record and pack go after the retention time, not before; a second purge finds nothing."""
    [record] = await sidecar.store(b"one")
    assert 0 == await purge(sidecar, days=29)
    assert await sidecar.rig.bench.queue.submission(record) is not None
    assert 1 == await purge(sidecar, days=2)
    assert await sidecar.rig.bench.queue.submission(record) is None
    assert [] == await sidecar.rig.bench.queue.records_of(record)
    assert 0 == await purge(sidecar, days=1)


async def test_what_is_forgotten_is_counted_no_more(sidecar: Working) -> None:
    """The counts by state fall with the rows, to the last byte; what stays is still counted."""
    await sidecar.store(b"one")
    await sidecar.store(b"another one")
    queue = sidecar.rig.bench.queue
    before = {(each.kind, each.state): each.items for each in await queue.tallies() if each.items}
    assert {("submission", "validated"): 2, ("record", "confirmed"): 2, ("pack", "closed"): 2} == before
    sidecar.time.pass_by(31 * 86_400)
    await sidecar.submit(b"one more")
    assert 2 == await purge(sidecar, days=0)
    [left] = [each for each in await queue.tallies() if each.items or each.bytes]
    assert ("submission", "received", 1) == (left.kind, left.state, left.items)


async def test_keys_outlive_the_purge(sidecar: Working) -> None:
    """The data key of a purged record can still be given out; the ledger still knows the record."""
    [record] = await sidecar.store(b"one")
    before = await sidecar.rig.bench.queue.releasable_key(record)
    assert before is not None
    assert 1 == await purge(sidecar, days=31)
    assert before == await sidecar.rig.bench.queue.releasable_key(record)


async def test_what_is_not_final_stays(sidecar: Working) -> None:
    """However old it is."""
    record = await sidecar.submit(b"one")
    assert 0 == await purge(sidecar, days=400)
    assert await sidecar.rig.bench.queue.submission(record) is not None
    assert await sidecar.rig.bench.queue.releasable_key(record) is None, "it is not validated yet"


class Clocks:
    """A clock that can be set beside one that cannot."""

    def __init__(self, sidecar: Working) -> None:
        self.sidecar, self.steady, self.realigned = sidecar, 1_000.0, 0
        self.watch = JumpWatch(
            sidecar.rig.bench,
            SqlUpkeep(sidecar.rig.database),
            SqlOutbox(sidecar.rig.database),
            self.realign,
            monotonic=lambda: self.steady,
        )

    def realign(self) -> None:
        """Count."""
        self.realigned += 1

    def pass_by(self, seconds: float, *, jump: float = 0.0) -> None:
        """Let time pass, and set the wall clock."""
        self.steady += seconds
        self.sidecar.time.pass_by(seconds + jump)


async def test_time_that_passes_is_no_jump(sidecar: Working) -> None:
    """Nor is the drift that time servers take out."""
    clocks = Clocks(sidecar)
    clocks.pass_by(3600.0, jump=0.5)
    assert 0.0 == await clocks.watch.check()
    assert 0 == clocks.realigned


async def test_a_clock_set_back_holds_up_no_work(sidecar: Working) -> None:
    """Work that was due before the jump is due after it, and plans by the wall clock are made anew."""
    clocks, bench = Clocks(sidecar), sidecar.rig.bench
    await sidecar.submit(b"one")
    clocks.pass_by(1.0, jump=-7200.0)
    assert [] == await bench.leases.claim(Stage.VALIDATE, 1)
    with capture_logs() as logs:
        assert -7200.0 == pytest.approx(await clocks.watch.check())
    assert 1 == len(await bench.leases.claim(Stage.VALIDATE, 1))
    assert 1 == clocks.realigned
    assert ("clock_jumped", -7200.0) == (logs[0]["event"], logs[0]["seconds"])


async def test_a_clock_set_back_holds_up_no_notice(sidecar: Working) -> None:
    """A channel that rests is tried again, though the time that it was to rest until is hours away now."""
    clocks, outbox = Clocks(sidecar), SqlOutbox(sidecar.rig.database)
    book = SqlChannelBook(sidecar.rig.database, sidecar.time)
    chosen = [Choice(target=Target(type=TargetType.APPRISE, url="mailtos://example.org"))]
    await Preferences(book, MemoryKeyStore(), Fakes()).replace(GRANTEE, chosen)
    told = notice(NoticeKind.ACCESS_GRANTED, GRANTEE, sidecar.time(), block=1)
    await SqlNotices(sidecar.rig.database).add([told])
    now = sidecar.time()
    [turn] = await outbox.claim(sound=1, troubled=1, batch=1, now=now, until=now)
    retried = [each.id for each in turn.deliveries]
    await outbox.note_fault(turn, Fault(retried=retried, given_up=[], code="A_CODE", due=now + REST.cap))
    clocks.pass_by(1.0, jump=-7200.0)
    assert not await outbox.has_due(sidecar.time())
    await clocks.watch.check()
    assert await outbox.has_due(sidecar.time())


async def test_a_clock_set_forward_takes_no_lease_away(sidecar: Working) -> None:
    """Leases that are held are prolonged before others take them for run out."""
    clocks, bench = Clocks(sidecar), sidecar.rig.bench
    await sidecar.submit(b"one")
    jobs = await bench.leases.claim(Stage.VALIDATE, 1)
    with bench.leases.holding(jobs):
        clocks.pass_by(1.0, jump=86_400.0)
        assert 86_400.0 == pytest.approx(await clocks.watch.check())
        assert [] == await bench.leases.claim(Stage.VALIDATE, 1)


async def test_what_an_earlier_clock_left_in_the_future_is_pulled(sidecar: Working) -> None:
    """A sidecar that is started after the clock was set back does not wait for the old time."""
    await sidecar.submit(b"one")
    sidecar.time.pass_by(-86_400)
    now, upkeep = sidecar.time(), SqlUpkeep(sidecar.rig.database)
    assert 1 == await upkeep.pull_jobs(now=now, horizon=now + timedelta(minutes=5))
    assert 0 == await upkeep.pull_jobs(now=now, horizon=now + timedelta(minutes=5))
    assert 1 == len(await sidecar.rig.bench.leases.claim(Stage.VALIDATE, 1))
