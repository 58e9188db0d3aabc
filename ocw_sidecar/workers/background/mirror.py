"""The other way: what organisations put on the chain comes into the local tables, from a durable cursor."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from caregrid.chain.limits import MAX_PAGE
from caregrid.chain.walking import blocks_until, paged
from caregrid.threats.feed import MAX_FOLLOWED
from ocw_sidecar.background.items import MAX_SHARED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from caregrid.chain.port import FinalizedBlock
    from ocw_sidecar.background.port import ThreatTables
    from ocw_sidecar.ports import ChainPorts
    from ocw_sidecar.workers.background.report import Part

#: Blocks of one transaction.
BATCH: Final = 50
#: For coming up with the chain; the cursor keeps what was done.
MIRROR_TIMEOUT_S: Final = 300.0

T = TypeVar("T")

log = structlog.get_logger()


class Mirror:
    """Follows the chain for the tables."""

    def __init__(self, ports: ChainPorts, tables: ThreatTables) -> None:
        self._ports, self._chain, self._tables = ports, ports.chain, tables

    async def run(self, part: Part) -> None:
        """Take in what is new up to the last finalized block; too far behind, everything anew."""
        async with asyncio.timeout(MIRROR_TIMEOUT_S):
            head, cursor = (await self._chain.finalized_head()).number, await self._tables.cursor()
            if cursor is None or not 0 <= head - cursor <= MAX_FOLLOWED:
                part.done += await self._read_all(head)
                # What changed while the pages were read, following behind `head` sets right.
                cursor, head = head, (await self._chain.finalized_head()).number
            if head > cursor:
                await self._follow(cursor + 1, head, part)
            part.found = part.done

    async def _read_all(self, head: int) -> int:
        blocks = await _bounded(paged(partial(self._chain.all_ip_blocks, limit=MAX_PAGE)))
        signatures = await _bounded(paged(partial(self._chain.all_signatures, limit=MAX_PAGE)))
        taken = await self._tables.take_all(blocks, signatures, height=head, now=self._ports.now())
        log.info("threats_read_anew", block=head, entries=taken)
        return taken

    async def _follow(self, start: int, head: int, part: Part) -> None:
        waiting: list[FinalizedBlock] = []
        async with aclosing(blocks_until(self._chain, start, head)) as blocks:
            async for block in blocks:
                waiting.append(block)
                if len(waiting) == BATCH:
                    part.done += await self._take_in(waiting)
                    waiting.clear()
        part.done += await self._take_in(waiting)

    async def _take_in(self, blocks: Sequence[FinalizedBlock]) -> int:
        if not blocks:
            return 0
        registered = [
            event.fields["signature"]
            for block in blocks
            for event in block.events
            if (event.pallet, event.name) == ("Threats", "SignatureRegistered")
        ]
        found = [await self._chain.signature(each) for each in registered]
        standing = [each for each in found if each is not None]
        return await self._tables.take_in(blocks, standing, now=self._ports.now())


async def _bounded(entries: AsyncGenerator[T]) -> list[T]:
    """Collect one more than fits at most, so that the tables refuse it."""
    found = []
    async with aclosing(entries) as rest:
        async for each in rest:
            found.append(each)
            if len(found) > MAX_SHARED:
                break
    return found
