"""Moves fragments: off nodes that are drained, and from full nodes to emptier ones.

A fragment is copied, read back from the new node and hashed, switched in the catalogue, and only later
deleted where it was. So at any moment, in any crash, an object has all the fragments that it had.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.errors import DiskLow, FragmentsMissing, ObjectUnknown, StorageUnreachable
from caregrid.storage.file_id import FRAGMENT_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage_network.gateway.catalogue import Catalogue
    from storage_network.gateway.drains import Drains
    from storage_network.gateway.homes import Homes
    from storage_network.gateway.journal import Journal
    from storage_network.gateway.moves import Homed, MoveList
    from storage_network.gateway.node_client import NodeClient, NodeHealth
    from storage_network.gateway.reader import Reader
    from storage_network.gateway.turns import Turns

#: Who has read the old home from the catalogue has long been there when this is over.
FORMER_HOME_AGE_S: Final = 60.0
#: Fragments move while the fullest node's share of its room is this far above the emptiest one's, ...
GAP_TO_BEGIN: Final = 0.10
#: ... until it is only this far.
GAP_TO_END: Final = 0.05
#: Fragments that are balanced before nodes are asked for their room again.
BATCH: Final = 16

_PAGE: Final = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveSettings:
    """How much of the nodes' and the network's time moving may take."""

    interval_s: float = 60.0  #: between looks; 0: nothing is ever moved
    max_rate: int = 32 * 1024 * 1024  #: bytes a second
    former_age_s: float = FORMER_HOME_AGE_S  #: then a fragment is deleted where it was


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveTools:
    """What moving needs of a gateway."""

    nodes: NodeClient
    homes: Homes
    reader: Reader
    catalogue: Catalogue
    moves: MoveList
    drains: Drains
    journal: Journal
    turns: Turns


class Mover:
    """Works in the background, a fragment at a time."""

    def __init__(self, tools: MoveTools, settings: MoveSettings) -> None:
        self._tools, self._settings = tools, settings
        self._balancing = False
        self.moved = 0  #: fragments, since the start

    async def run(self) -> None:
        """Work for ever; an interval of 0 ends it at once."""
        while self._settings.interval_s > 0:
            await self.round()
            await asyncio.sleep(self._settings.interval_s)

    async def round(self) -> None:
        """Empty the nodes that are drained as far as others have room, then balance the others."""
        drained = await asyncio.to_thread(self._tools.drains.nodes)
        try:
            for node in sorted(drained):
                await self._empty(node)
            while await self._balance(drained):
                pass
        except DiskLow:
            _log.warning("fragments_not_moved reason=disk_full")

    async def _empty(self, node: str) -> None:
        last: Homed | None = None
        while page := await asyncio.to_thread(self._tools.moves.page, node, last, _PAGE):
            last = page[-1]
            for fragment in page:
                await self._move_anywhere(fragment)

    async def _move_anywhere(self, fragment: Homed) -> None:
        holders = await asyncio.to_thread(self._tools.moves.holders, fragment)
        everybody = await self._tools.homes.order(wanted=0)
        for target in (node for node in everybody if node not in holders):
            if await self._move(fragment, target):
                return

    async def _balance(self, drained: frozenset[str]) -> bool:
        told = await self._tools.nodes.healths()
        room = {node: each for node, each in told.items() if each is not None and node not in drained}
        levels = _levels(room)
        for done in range(BATCH):
            pair = self._pair(levels)
            if pair is None:
                return False
            fullest, emptiest = pair
            fragment = await asyncio.to_thread(self._tools.moves.any_that_fits, fullest, emptiest)
            if fragment is None or not await self._move(fragment, emptiest):
                return done > 0
            levels[fullest].take(-FRAGMENT_SIZE)
            levels[emptiest].take(FRAGMENT_SIZE)
        return True

    def _pair(self, levels: Mapping[str, _Level]) -> tuple[str, str] | None:
        if len(levels) > 1:
            ranked = sorted(levels, key=lambda node: levels[node].share)
            emptiest, fullest = ranked[0], ranked[-1]
            gap = levels[fullest].share - levels[emptiest].share
            self._balancing = gap >= (GAP_TO_END if self._balancing else GAP_TO_BEGIN)
            if self._balancing and levels[emptiest].fits:
                return fullest, emptiest
        return None

    async def _move(self, fragment: Homed, target: str) -> bool:
        try:
            async with self._tools.turns.of(fragment.fid), self._tools.journal.batch():
                moved = await self._copied(fragment, target) and await self._switched(fragment, target)
        except (StorageUnreachable, FragmentsMissing, ObjectUnknown) as exc:
            _log.warning("fragment_not_moved from=%s to=%s reason=%s", fragment.node, target, exc)
            return False
        self.moved += moved
        await asyncio.sleep(FRAGMENT_SIZE / self._settings.max_rate)
        return moved

    async def _copied(self, fragment: Homed, target: str) -> bool:
        tools = self._tools
        stored = await asyncio.to_thread(tools.catalogue.find, fragment.fid)
        if stored is None:
            return False
        # From four others where its node is down: a dead node can be drained, too.
        content = await tools.reader.fragment(stored, fragment.digest)
        await tools.nodes.put(target, fragment.digest, content)
        # Not by the node's word: whoever lies is found out before the other copy goes.
        await tools.nodes.get(target, fragment.digest)
        return True

    async def _switched(self, fragment: Homed, target: str) -> bool:
        due = time.time() + self._settings.former_age_s
        return await asyncio.to_thread(self._tools.moves.switch, fragment, target, due=due)


@dataclass(kw_only=True, slots=True)
class _Level:
    used: int
    free: int

    @property
    def share(self) -> float:
        return self.used / max(1, self.used + self.free)

    @property
    def fits(self) -> bool:
        return self.free >= FRAGMENT_SIZE

    def take(self, size: int) -> None:
        self.used, self.free = self.used + size, self.free - size


def _levels(told: Mapping[str, NodeHealth]) -> dict[str, _Level]:
    return {
        node: _Level(used=each.bytes_used, free=each.bytes_free)
        for node, each in told.items()
        if each.bytes_used is not None and each.bytes_free is not None
    }
