"""The background tasks against the chain's twin, on each kind of database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain import BlockReason, Severity, SignatureFormat, calls
from caregrid.errors import ChainTimeout, ChainUnreachable
from caregrid.testing.chain import MemoryChain
from ocw_sidecar.adapters.sql.patients import SqlPatients
from ocw_sidecar.adapters.sql.threats import SqlThreatTables
from ocw_sidecar.background.audit_log import AuditLog
from ocw_sidecar.background.items import Kind, NewBlock, NewSignature
from ocw_sidecar.ports import ChainPorts
from ocw_sidecar.settings.background import BackgroundSettings
from ocw_sidecar.workers.background.jobs import CleanupJob, SyncJob
from ocw_sidecar.workers.background.report import Part, Report, Result, together
from ocw_sidecar.workers.background.sending import Patience, Sending
from ocw_sidecar.workers.background.tasks import Only, Tasks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from caregrid.chain.port import Call, Receipt
    from ocw_sidecar.adapters.sql import Database

US, THEM = b"\x01" * 32, b"\x02" * 32
AT_ONCE = Patience(max_retries=0, retry_delay_s=0)
HOUR = timedelta(hours=1)


@dataclass
class Clock:
    """A clock that stands still until it is told."""

    now: datetime = datetime(2026, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


@dataclass
class Desk:
    """Tasks, and what they work on."""

    chain: MemoryChain
    tasks: Tasks
    clock: Clock

    async def want(self, *nets: str, last: timedelta = HOUR) -> None:
        """Have networks blocked."""
        end = self.clock.now + last
        wanted = [NewBlock(net=ip_network(net), reason=BlockReason.SCANNING, expires_at=end) for net in nets]
        await self.tasks.tables.block(wanted, now=self.clock.now)

    async def sync(self, only: Only | None = None) -> Report:
        """Synchronise without patience."""
        return await self.tasks.synchronise(only=only, patience=AT_ONCE)

    async def statuses(self, table: str = "blocked_ips") -> dict[str, Any]:
        """Return a table's statistics that are not nothing."""
        found = {each["table"]: each for each in await self.tasks.statistics()}[table]
        return {name: found[name] for name in ("pending", "submitted", "confirmed", "failed") if found[name]}

    async def on_chain(self) -> set[str]:
        """Return the networks that stand on the chain."""
        return {str(each.net) for each in (await self.chain.all_ip_blocks(after=None, limit=128)).items}

    def mine(self, blocks: int) -> None:
        """Let blocks pass, and their time."""
        for _ in range(blocks):
            self.chain.finalize_block()
        self.clock.now += timedelta(seconds=2 * blocks)


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> Desk:
    """An organisation on an empty chain."""
    chain, clock = MemoryChain(), Clock()
    for each in (US, THEM):
        await chain.submitter(each).submit(calls.register_organisation([]))
    tasks = Tasks(
        tables=SqlThreatTables(database, US),
        patients=SqlPatients(database),
        settings=BackgroundSettings(batch=4, batches=1),
        organisation=US,
        now=clock,
        audit=AuditLog(tmp_path / "logs", now=clock),
        ports=ChainPorts(chain=chain, submitter=chain.submitter(US), now=clock),
    )
    return Desk(chain=chain, tasks=tasks, clock=clock)


def of(report: Report, name: str) -> Part:
    """Return one part."""
    [part] = [each for each in report.parts if each.name == name]
    return part


async def test_what_is_wanted_comes_to_the_chain(desk: Desk) -> None:
    """Blocks in batches, a signature and a patient; a second run has nothing to do."""
    await desk.want(*(f"192.0.2.{number}/32" for number in range(6)))
    mark = NewSignature(
        signature_id=b"\x07" * 16, format=SignatureFormat.REGEX, severity=Severity.HIGH, pattern=b"GET /x"
    )
    await desk.tasks.tables.register([mark], now=desk.clock.now)
    await desk.tasks.patients.ask(b"\x09" * 32, None, now=desk.clock.now)
    report = await desk.sync()
    assert Result.SUCCESS is report.result
    assert [(1, "patients"), (6, "blocks"), (1, "signatures")] == [
        (part.done, part.name) for part in report.parts[:3]
    ]
    assert 6 == len(await desk.on_chain())
    assert (await desk.chain.signature(b"\x07" * 16), await desk.chain.patient(b"\x09" * 32)) != (None, None)
    for table, count in (("blocked_ips", 6), ("attack_signatures", 1), ("patient_registrations", 1)):
        assert {"confirmed": count} == await desk.statuses(table)
    told = [(each["what"], each["result"]) for each in desk.tasks.audit.entries(9)]
    assert [("sync-blockchain", "begun"), ("sync-blockchain", "success")] == told
    again = await desk.sync()
    assert [0, 0, 0] == [part.found for part in again.parts[:3]]


async def test_what_others_put_there_comes_here(desk: Desk) -> None:
    """From a cursor: what was there before the first run, what comes after it, and what goes."""
    them, nets = desk.chain.submitter(THEM), [ip_network("198.51.100.0/24"), ip_network("2001:db8::/48")]
    block = calls.block_ip(THEM, nets[0], reason=BlockReason.POLICY, expires_at=500)
    await them.submit(block)
    assert 1 == of(await desk.sync(Only.BLOCKS), "from-chain").done
    await them.submit(calls.block_ip(THEM, nets[1], reason=BlockReason.POLICY, expires_at=500))
    await them.submit(calls.unblock_ip(THEM, nets[0]))
    assert 2 == of(await desk.sync(Only.BLOCKS), "from-chain").done
    assert 0 == of(await desk.sync(Only.BLOCKS), "from-chain").done
    # Theirs are not counted among ours, and end with ours.
    assert {} == await desk.statuses()
    desk.clock.now += timedelta(days=1)
    assert 1 == (await desk.tasks.clean_up(local_only=True)).parts[0].done


async def test_a_chain_that_is_away_leaves_everything_pending(desk: Desk) -> None:
    """Each part fails and says why; nothing is lost, and the next run does it."""
    await desk.want("192.0.2.0/24")
    desk.chain.reachable = False
    report = await desk.sync()
    assert Result.FAILURE is report.result
    assert "CHAIN_UNREACHABLE" == of(report, "blocks").reason
    assert {"pending": 1} == await desk.statuses()
    desk.chain.reachable = True
    assert Result.SUCCESS is (await desk.sync()).result
    assert {"192.0.2.0/24"} == await desk.on_chain()


class Deaf:
    """Submits, and never hears what came of it; or hears of a chain that went away."""

    def __init__(self, chain: MemoryChain, fault: Exception, *, arrives: bool) -> None:
        self.inner, self.fault, self.arrives = chain.submitter(US), fault, arrives
        self.account = US

    async def submit(self, call: Call) -> Receipt:
        """Send it on or not, and fail."""
        if self.arrives:
            await self.inner.submit(call)
        raise self.fault

    async def submit_many(self, wanted: Iterable[Call]) -> list[Receipt | Exception]:
        """Likewise, each."""
        if self.arrives:
            await self.inner.submit_many(wanted)
        return [self.fault for _ in wanted]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("arrives", [True, False])
async def test_an_unknown_outcome_is_looked_up_before_it_is_sent_again(desk: Desk, *, arrives: bool) -> None:
    """Whether or not the call had gone through, the network stands once and is confirmed."""
    await desk.want("192.0.2.0/24", "192.0.3.0/24")
    ports = desk.tasks.ports
    assert isinstance(ports, ChainPorts)
    deaf: Any = Deaf(desk.chain, ChainTimeout(), arrives=arrives)
    cut = replace(desk.tasks, ports=replace(ports, submitter=deaf))
    report = await cut.synchronise(only=Only.BLOCKS, patience=AT_ONCE)
    assert Result.PARTIAL is report.result
    # Taking in what stands on the chain tells what came of it.
    assert {"confirmed" if arrives else "submitted": 2} == await desk.statuses()
    desk.clock.now += timedelta(minutes=5)
    assert (0 if arrives else 2) == of(await desk.sync(Only.BLOCKS), "blocks").done
    assert {"confirmed": 2} == await desk.statuses()
    sent = [event async for event in blocked_events(desk.chain)]
    assert 2 == len(sent)


async def blocked_events(chain: MemoryChain) -> Any:
    """Yield every event of a network that was blocked."""
    head = (await chain.finalized_head()).number
    async for block in chain.finalized_blocks(0):
        for event in block.events:
            if event.name == "IpBlocked":
                yield event
        if block.ref.number >= head:
            return


async def test_an_outcome_is_looked_up_where_the_chain_could_not_be_followed(desk: Desk) -> None:
    """The call had gone through; after its lease, looking finds it, and nothing is sent."""
    await desk.want("192.0.2.0/24")
    ports = desk.tasks.ports
    assert isinstance(ports, ChainPorts)
    deaf: Any = Deaf(desk.chain, ChainTimeout(), arrives=True)
    sending = Sending(replace(ports, submitter=deaf), US, desk.tasks.tables, desk.tasks.settings)
    await sending.run(Kind.BLOCKS, Part(name="blocks"), AT_ONCE)
    assert {"submitted": 1} == await desk.statuses()
    desk.clock.now += timedelta(minutes=5)
    silent: Any = Deaf(desk.chain, AssertionError("nothing is to be sent"), arrives=False)
    part = Part(name="blocks")
    await Sending(replace(ports, submitter=silent), US, desk.tasks.tables, desk.tasks.settings).run(
        Kind.BLOCKS, part, AT_ONCE
    )
    assert (1, {"confirmed": 1}) == (part.done, await desk.statuses())


async def test_going_away_in_the_middle_leaves_the_rest(desk: Desk) -> None:
    """What was confirmed stays so, the rest is pending, the task partly done."""
    await desk.want(*(f"192.0.2.{number}/32" for number in range(8)))
    ports = desk.tasks.ports
    assert isinstance(ports, ChainPorts)

    class Leaving(Deaf):
        left = 1

        async def submit_many(self, wanted: Iterable[Call]) -> list[Receipt | Exception]:
            if self.left:
                self.left -= 1
                return await self.inner.submit_many(wanted)
            return [self.fault for _ in wanted]

    leaving: Any = Leaving(desk.chain, ChainUnreachable(), arrives=False)
    cut = replace(desk.tasks, ports=replace(ports, submitter=leaving))
    report = await cut.synchronise(only=Only.BLOCKS, patience=AT_ONCE)
    assert (Result.PARTIAL, 4, 4) == (report.result, report.parts[0].done, report.parts[0].failed)
    assert {"pending": 4, "confirmed": 4} == await desk.statuses()
    assert Result.SUCCESS is (await desk.sync(Only.BLOCKS)).result
    assert 8 == len(await desk.on_chain())


async def test_three_at_once_send_each_entry_once(desk: Desk) -> None:
    """Claims keep them apart."""
    await desk.want(*(f"192.0.2.{number}/32" for number in range(40)))
    reports = await asyncio.gather(*(desk.sync(Only.BLOCKS) for _ in range(3)))
    assert 40 == sum(of(report, "blocks").done for report in reports)
    assert 40 == len([event async for event in blocked_events(desk.chain)])


async def test_many_batches_are_under_way_at_once(desk: Desk) -> None:
    """One round takes them all, so that a thousand entries wait for finality once."""
    await desk.want(*(f"10.0.{number}.0/24" for number in range(10)))
    wide = replace(desk.tasks, settings=BackgroundSettings(batch=4, batches=8))
    before = (await desk.chain.finalized_head()).number
    report = await wide.synchronise(only=Only.BLOCKS, patience=AT_ONCE)
    assert 10 == of(report, "blocks").done
    assert (await desk.chain.finalized_head()).number - before <= 3


async def test_a_refused_entry_fails_alone(desk: Desk) -> None:
    """Somebody else has the signature's id: the others of its batch go through."""
    taken, free = b"\x07" * 16, b"\x08" * 16
    them = calls.register_signature(
        THEM, taken, format=SignatureFormat.REGEX, severity=Severity.LOW, pattern=b"theirs"
    )
    await desk.chain.submitter(THEM).submit(them)
    marks = [
        NewSignature(signature_id=each, format=SignatureFormat.REGEX, severity=Severity.HIGH, pattern=b"ours")
        for each in (taken, free)
    ]
    await desk.tasks.tables.register(marks, now=desk.clock.now)
    report = await desk.sync(Only.SIGNATURES)
    assert (1, 1) == (of(report, "signatures").done, of(report, "signatures").failed)
    assert {"confirmed": 1, "failed": 1} == await desk.statuses("attack_signatures")


async def test_clean_up_on_both_sides(desk: Desk) -> None:
    """What has ended goes, the rest stays; a dry run changes nothing."""
    await desk.want("192.0.2.0/24", last=timedelta(seconds=20))
    await desk.want("192.0.3.0/24")
    await desk.sync(Only.BLOCKS)
    desk.mine(20)
    dry = await desk.tasks.clean_up(dry_run=True)
    # The chain has removed it by itself already.
    assert [(0, 0), (1, 0)] == [(part.found, part.done) for part in dry.parts]
    assert {"confirmed": 2} == await desk.statuses()
    report = await desk.tasks.clean_up()
    assert (Result.SUCCESS, 1) == (report.result, of(report, "local").done)
    assert {"confirmed": 1} == await desk.statuses()
    assert {"192.0.3.0/24"} == await desk.on_chain()


async def test_clean_up_with_the_chain_away(desk: Desk) -> None:
    """The chain part fails and nothing happens here, unless forced, or local only."""
    await desk.want("192.0.2.0/24", last=timedelta(seconds=2))
    desk.clock.now += HOUR
    desk.chain.reachable = False
    refused = await desk.tasks.clean_up()
    assert (Result.FAILURE, 1) == (refused.result, len(refused.parts))
    assert {"pending": 1} == await desk.statuses()
    forced = await desk.tasks.clean_up(force=True)
    assert (Result.PARTIAL, 1) == (forced.result, of(forced, "local").done)
    local = await desk.tasks.clean_up(local_only=True)
    assert (Result.SUCCESS, ["local"]) == (local.result, [part.name for part in local.parts])


async def test_an_entry_that_ended_before_it_was_sent_is_not(desk: Desk) -> None:
    """It is told as skipped."""
    await desk.want("192.0.2.0/24")
    desk.clock.now += 2 * HOUR
    part = of(await desk.sync(Only.BLOCKS), "blocks")
    assert (0, 1) == (part.done, part.skipped)
    assert set() == await desk.on_chain()


async def test_statistics_tell_ages_and_shares(desk: Desk) -> None:
    """And nothing is sent by looking."""
    await desk.want("192.0.2.0/24")
    desk.clock.now += HOUR / 2
    [found] = [each for each in await desk.tasks.statistics() if each["table"] == "blocked_ips"]
    assert (1, 1800.0, None) == (found["pending"], found["oldest_waiting_s"], found["success_rate"])
    await desk.sync()
    [found] = [each for each in await desk.tasks.statistics() if each["table"] == "blocked_ips"]
    assert (1, None, 1.0) == (found["confirmed"], found["oldest_waiting_s"], found["success_rate"])


async def test_the_sidecars_interval_follows_the_load(desk: Desk) -> None:
    """Longer with nothing to do, shorter when a run leaves something, within bounds."""
    settings = BackgroundSettings(max_entries=4, batch=4, batches=1)
    job = SyncJob(replace(desk.tasks, settings=settings), settings)
    await job.run()
    assert (1800.0, 3600.0, 3600.0) == (
        job.next_every(900.0),
        job.next_every(1800.0),
        job.next_every(3600.0),
    )
    await desk.want(*(f"192.0.2.{number}/32" for number in range(6)))
    assert 4 == (await job.run())["blocks_done"]
    assert (450.0, 60.0) == (job.next_every(900.0), job.next_every(60.0))
    assert 2 == (await job.run())["blocks_done"]
    assert 900.0 == job.next_every(60.0)


async def test_the_sidecars_jobs_fail_aloud(desk: Desk) -> None:
    """A chain that is away is counted as a failure, with the local side done all the same."""
    await desk.want("192.0.2.0/24", last=timedelta(seconds=2))
    desk.clock.now += HOUR
    desk.chain.reachable = False
    assert 1 == (await CleanupJob(desk.tasks).run())["local_done"]
    with pytest.raises(ChainUnreachable):
        await SyncJob(desk.tasks, desk.tasks.settings).run()


@pytest.mark.parametrize(
    ("results", "whole"),
    [
        ([Result.SUCCESS, Result.SUCCESS], Result.SUCCESS),
        ([Result.SUCCESS, Result.FAILURE], Result.PARTIAL),
        ([Result.PARTIAL, Result.PARTIAL], Result.PARTIAL),
        ([Result.FAILURE, Result.FAILURE], Result.FAILURE),
    ],
)
def test_the_whole_is_as_good_as_its_tasks(results: list[Result], whole: Result) -> None:
    """All failed is complete failure, some is partial."""
    parts = {
        Result.SUCCESS: [Part(name="a")],
        Result.PARTIAL: [Part(name="a"), Part(name="b", reason="X")],
        Result.FAILURE: [Part(name="a", reason="X")],
    }
    assert whole is together([Report(task="t", parts=parts[each]) for each in results])
