"""Follows the chain's finalized blocks by number, without a gap, at a bounded rate."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import structlog

from caregrid.errors import ConfigInvalid, ProtocolViolation, Recoverable, StateDiscarded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from caregrid.chain.port import BlockRef, Chain, FinalizedBlock
    from caregrid.errors import CaregridError
    from ocw_sidecar.clock.port import BlockLog, Position
    from ocw_sidecar.metrics import Metrics
    from ocw_sidecar.settings.clock import ClockSettings

log = structlog.get_logger()


class Follower:
    """Takes every finalized block in, and says so when the newest has been reached.

    `restore` is called on the very first start, before anything is followed, with the block whose state is to
    be taken over; and again when no node keeps the blocks that are missing, where the settings allow that.
    `wake` is called with a block's number when the sidecar is no further behind than
    `near_head`; while it catches up nobody is woken, so that what became due meanwhile comes as one.
    """

    def __init__(
        self,
        *,
        chain: Chain,
        block_log: BlockLog,
        settings: ClockSettings,
        metrics: Metrics,
        restore: Callable[[BlockRef], Awaitable[None]],
        wake: Callable[[int], Awaitable[None]],
    ) -> None:
        self._chain, self._log, self._settings, self._metrics = chain, block_log, settings, metrics
        self._restore, self._wake = restore, wake
        self._head = -1
        self._failures = 0
        self._discarded = False

    async def run(self) -> None:
        """Follow until cancelled; wait out a chain or a database that does not answer.

        Raises:
            ConfigInvalid: the endpoint serves another chain than the one that was followed before.
            StateDiscarded: no node keeps the next block's events, and the settings say to stop then.
        """
        while True:
            try:
                await self._follow()
            except StateDiscarded as exc:
                if self._settings.on_discarded_state == "stop":
                    raise
                self._discarded = True
                await self._wait(exc)
            except Recoverable as exc:
                await self._wait(exc)

    async def _wait(self, fault: CaregridError) -> None:
        if not self._failures:
            log.warning("clock_waits", reason=fault.code)
        await asyncio.sleep(self._pause_s())
        self._failures += 1

    def _pause_s(self) -> float:
        doubled = self._settings.retry_s * 2.0 ** min(self._failures, 16)
        return float(min(self._settings.retry_limit_s, doubled))

    async def _follow(self) -> None:
        """Take blocks in until another process is found to have done so."""
        cursor = await self.prepare()
        blocks = cast("AsyncGenerator[FinalizedBlock]", self._chain.finalized_blocks(cursor + 1))
        async with aclosing(blocks):
            async for block in blocks:
                await self._pace(block)
                if not await self._log.advance(block):
                    log.info("clock_overtaken", block=block.ref.number)
                    return
                await self._taken(block.ref.number)

    async def prepare(self) -> int:
        """Return the cursor; set it first where there is none, and make sure that it belongs to this chain.

        Raises:
            ConfigInvalid: it belongs to another one, or the block to start from is not there yet.
        """
        genesis = await self._block(0)
        position = await self._log.position()
        if position is None:
            return await self._begin(genesis.hash)
        if position.genesis != genesis.hash:
            raise ConfigInvalid(
                "the chain is not the one that was followed before: its block 0 differs; "
                "set chain_urls back, or run `caregrid sidecar rebuild` to follow the new one"
            )
        same = await self._chain.block(position.block.number)
        if same is None:
            log.warning("chain_behind_cursor", cursor=position.block.number)
        elif same.hash != position.block.hash:
            raise ConfigInvalid(
                f"block {position.block.number} is not the one that was followed before: the chain was "
                "started anew; set chain_urls back, or run `caregrid sidecar rebuild` to follow the new one"
            )
        if self._discarded:
            return await self._begin_again(position)
        return position.block.number

    async def _begin_again(self, last: Position) -> int:
        """Leave out the blocks that cannot be had; nobody is told of what happened in them."""
        await self._log.forget()
        log.warning("clock_begins_again", last_block=last.block.number)
        self._metrics.clock_rebuilt()
        return await self._begin(last.genesis)

    async def _begin(self, genesis: bytes) -> int:
        start_block = self._settings.start_block
        if start_block is None or self._discarded:
            block = await self._chain.finalized_head()
            await self._restore(block)
        else:
            block = await self._block(start_block - 1)
        if not await self._log.begin(block, genesis):
            return await self.prepare()
        self._discarded = False
        log.info("clock_begins", block=block.number)
        return block.number

    async def _block(self, number: int) -> BlockRef:
        block = await self._chain.block(number)
        if block is None:
            raise ConfigInvalid(
                f"the chain has no finalized block {number} yet; set clock.start_block to an earlier one"
            )
        return block

    async def _pace(self, block: FinalizedBlock) -> None:
        """Hold to the rate while behind; refuse a gap, which the cursor would otherwise never leave."""
        cursor = await self._log.cursor()
        if cursor is not None and block.ref.number > cursor + 1:
            raise ProtocolViolation("the chain client skipped a finalized block; this is a bug")
        if block.ref.number < self._head - self._settings.near_head:
            await asyncio.sleep(1.0 / self._settings.catch_up_rate)

    async def _taken(self, number: int) -> None:
        if number >= self._head:
            self._head = (await self._chain.finalized_head()).number
        self._failures = 0
        self._metrics.clock(cursor=number, head=self._head)
        if self._head - number <= self._settings.near_head:
            await self._wake(number)
