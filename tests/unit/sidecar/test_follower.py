"""Following finalized blocks."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from caregrid.chain.port import BlockRef
from caregrid.errors import ConfigInvalid, StateDiscarded
from caregrid.testing import MemoryChain
from ocw_sidecar.clock.follower import Follower
from ocw_sidecar.clock.port import BlockLog, Position
from ocw_sidecar.metrics import Metrics
from ocw_sidecar.ports import utc_now
from ocw_sidecar.settings.clock import ClockSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from caregrid.chain.port import FinalizedBlock


@dataclass
class MemoryLog(BlockLog):
    """A cursor in memory that keeps what was taken in."""

    at: Position | None = None
    taken: list[int] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def position(self) -> Position | None:
        """Return the cursor."""
        return self.at

    async def begin(self, block: BlockRef, genesis: bytes) -> bool:
        """Set the cursor for the first time."""
        self.begun.set()
        if self.at is None:
            self.at = Position(genesis=genesis, block=block, moved_at=utc_now())
            return True
        return False

    async def advance(self, block: FinalizedBlock) -> bool:
        """Move the cursor by one."""
        assert self.at is not None
        if block.ref.number != self.at.block.number + 1:
            return False
        self.at = replace(self.at, block=block.ref)
        self.taken.append(block.ref.number)
        return True

    async def forget(self) -> None:
        """Start anew."""
        self.at = None

    async def done_heights(self) -> Mapping[str, int]:
        """Nothing was done."""
        return {}

    async def note_done(self, job: str, height: int) -> None:
        """Note nothing."""


@dataclass
class Following:
    """A follower, what it follows and what it said."""

    chain: MemoryChain = field(default_factory=MemoryChain)
    metrics: Metrics = field(default_factory=Metrics)
    log: MemoryLog = field(default_factory=MemoryLog)
    woken: list[int] = field(default_factory=list)
    restored: list[int] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    restoring: asyncio.Event = field(default_factory=asyncio.Event)

    def follower(self, **settings: Any) -> Follower:
        """Return the follower."""
        plain = {"retry_s": 0.001, "retry_limit_s": 0.002, "catch_up_rate": 1e6}
        return Follower(
            chain=self.chain,
            block_log=self.log,
            settings=ClockSettings(**{**plain, **settings}),
            metrics=self.metrics,
            restore=self._restore,
            wake=self._wake,
        )

    async def until(self, height: int) -> None:
        """Wait until a block's bell was rung."""
        async with asyncio.timeout(10):
            while height not in self.woken:
                self.news.clear()
                await self.news.wait()

    @asynccontextmanager
    async def running(self, **settings: Any) -> AsyncIterator[None]:
        """Follow inside the block."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.follower(**settings).run())
            yield
            task.cancel()

    async def _restore(self, block: BlockRef) -> None:
        self.restored.append(block.number)
        self.restoring.set()

    async def _wake(self, height: int) -> None:
        self.woken.append(height)
        self.news.set()

    def mine(self, blocks: int) -> int:
        """Let blocks pass; return the head's number."""
        return [self.chain.finalize_block().ref.number for _ in range(blocks)][-1]


async def test_first_start_begins_at_the_head() -> None:
    """What stands is taken over from the state; then every block is followed."""
    following = Following()
    following.mine(10)
    async with following.running():
        await following.log.begun.wait()
        following.mine(3)
        await following.until(13)
    assert ([10], [11, 12, 13]) == (following.restored, following.log.taken)


async def test_a_start_block_is_followed_from() -> None:
    """Who wants the past names a block."""
    following = Following()
    following.mine(10)
    async with following.running(start_block=4):
        await following.until(10)
    assert ([], [4, 5, 6, 7, 8, 9, 10]) == (following.restored, following.log.taken)


async def test_catching_up_wakes_nobody_before_the_end() -> None:
    """Every block is taken in, in order; only near the head is anybody woken."""
    following = Following()
    following.mine(500)
    async with following.running(start_block=1):
        await following.until(500)
    assert list(range(1, 501)) == following.log.taken
    assert [498, 499, 500] == following.woken


async def test_catching_up_keeps_to_its_rate() -> None:
    """A sidecar that was away does not take the node for itself."""
    following = Following()
    following.mine(40)
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with following.running(start_block=1, catch_up_rate=200):
        await following.until(40)
    assert 36 / 200 <= loop.time() - started


async def test_an_unreachable_chain_is_waited_out() -> None:
    """The follower goes on where it was, without a gap; the log says so once."""
    following = Following()
    following.chain.reachable = False
    with capture_logs() as logs:
        async with following.running():
            await asyncio.sleep(0.02)
            following.chain.reachable = True
            await following.log.begun.wait()
            following.mine(2)
            await following.until(2)
    assert [1, 2] == following.log.taken
    assert 1 == sum(entry["event"] == "clock_waits" for entry in logs)


async def test_an_endpoint_that_lags_behind_is_waited_for() -> None:
    """A node behind the cursor has nothing to say until it has caught up; nothing is taken in twice."""
    ahead = Following()
    ahead.mine(20)
    async with ahead.running(start_block=1):
        await ahead.until(20)
    behind = Following(log=ahead.log)
    behind.mine(5)
    async with behind.running():
        await asyncio.sleep(0.02)
        assert 20 == len(ahead.log.taken)
        behind.mine(16)
        await behind.until(21)
    assert list(range(1, 22)) == ahead.log.taken


class Pruned(MemoryChain):
    """A chain whose nodes have dropped the state of all blocks up to one."""

    kept_from = 0

    async def finalized_blocks(self, start: int) -> AsyncIterator[FinalizedBlock]:
        """Yield blocks, or say that they cannot be read."""
        async for block in super().finalized_blocks(start):
            if block.ref.number < self.kept_from:
                raise StateDiscarded
            yield block


async def test_discarded_state_ends_it() -> None:
    """An operator has to decide: to name an archive node, or to leave blocks out."""
    following = Following(chain=(chain := Pruned()))
    following.mine(50)
    chain.kept_from = 40
    with pytest.raises(StateDiscarded, match="archive"):
        await following.follower(start_block=10).run()
    assert ([], []) == (following.log.taken, following.restored)


async def test_discarded_state_is_left_out_where_that_is_allowed() -> None:
    """After a long pause it goes on from what stands on the chain, says so, and counts it; then as ever."""
    following = Following(chain=(chain := Pruned()))
    following.mine(5)
    async with following.running(start_block=1):
        await following.until(5)
    following.mine(400)
    chain.kept_from = 300
    following.restoring.clear()
    with capture_logs() as logs:
        async with following.running(start_block=1, on_discarded_state="rebuild"):
            await following.restoring.wait()
            following.mine(3)
            await following.until(408)
    assert ([405], [1, 2, 3, 4, 5, 406, 407, 408]) == (following.restored, following.log.taken)
    [told] = [entry for entry in logs if entry["event"] == "clock_begins_again"]
    assert ("warning", 5) == (told["log_level"], told["last_block"])
    assert 1.0 == following.metrics.registry.get_sample_value("caregrid_clock_rebuilds_total")


async def test_a_chain_that_goes_away_meanwhile_is_waited_for() -> None:
    """Between forgetting and beginning again nothing is lost but time."""
    following = Following(chain=(chain := Pruned()))
    following.mine(5)
    async with following.running(start_block=1):
        await following.until(5)
    following.mine(100)
    chain.kept_from = 90
    forget, forgotten = following.log.forget, asyncio.Event()

    async def forget_and_lose_the_chain() -> None:
        await forget()
        chain.reachable = False
        forgotten.set()

    following.log.forget = forget_and_lose_the_chain  # type: ignore[method-assign]  # between two steps
    async with following.running(start_block=1, on_discarded_state="rebuild"):
        await forgotten.wait()
        await asyncio.sleep(0.01)
        assert [] == following.restored
        chain.reachable = True
        await following.restoring.wait()
        following.mine(1)
        await following.until(106)
    assert [1, 2, 3, 4, 5, 106] == following.log.taken


async def test_two_that_follow_take_each_block_in_once() -> None:
    """Of two processes that believe to lead, one moves the cursor; the other goes on from there."""
    following = Following()
    following.mine(30)
    async with following.running(start_block=1), following.running(start_block=1):
        await following.until(30)
    assert list(range(1, 31)) == following.log.taken


async def test_another_chain_is_refused() -> None:
    """A database that belongs to another network is never mixed with this one."""
    following = Following()
    following.log.at = Position(
        genesis=bytes(32), block=BlockRef(number=0, hash=bytes(32)), moved_at=utc_now()
    )
    with pytest.raises(ConfigInvalid, match="block 0 differs"):
        await following.follower().run()


async def test_a_chain_that_was_started_anew_is_refused() -> None:
    """The same genesis does not make it the same chain."""
    following = Following()
    following.mine(5)
    genesis = await following.chain.block(0)
    assert genesis is not None
    following.log.at = Position(
        genesis=genesis.hash, block=BlockRef(number=3, hash=b"\x09" * 32), moved_at=utc_now()
    )
    with pytest.raises(ConfigInvalid, match="started anew"):
        await following.follower().run()


async def test_a_start_block_ahead_of_the_chain_is_refused() -> None:
    """The message says what to change."""
    with pytest.raises(ConfigInvalid, match=r"clock\.start_block"):
        await Following().follower(start_block=100).run()
