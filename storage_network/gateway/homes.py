"""Which nodes get the fragments of a segment: those with the most room, by lot among near-equals."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from typing import TYPE_CHECKING, Final

from caregrid.storage.file_id import FRAGMENT_SIZE
from caregrid.storage.reed_solomon import TOTAL_SHARDS
from storage_network.gateway.node_client import NodeClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import aiohttp

    from storage_network.gateway.drains import Drains
    from storage_network.gateway.journal import Journal
    from storage_network.gateway.node_client import NodeHealth
    from storage_network.gateway.settings import NodeAddress

#: What nodes told of their room is taken as true for this long.
HEALTH_MEMORY_S: Final = 5.0
#: A node that was too slow for a fragment gets none before the others for this long.
SLOW_MEMORY_S: Final = 60.0
#: Nodes are near-equals when their free bytes differ by less than this factor.
NEAR_EQUAL: Final = 1.25

_LOTS: Final = secrets.SystemRandom()
_log = logging.getLogger(__name__)


class JournalledNodes(NodeClient):
    """Nodes of which nothing that is written is ever forgotten."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        nodes: Iterable[NodeAddress],
        token: str | None,
        journal: Journal,
    ) -> None:
        super().__init__(session, nodes, token)
        self._journal = journal

    async def put(self, node: str, digest: bytes, content: bytes | memoryview) -> None:
        """Have a node keep a fragment, noted beforehand; within a batch of the journal only."""
        await self._journal.intend(node, digest)
        await super().put(node, digest, content)


class Homes:
    """Orders the nodes for writing; those that are drained get nothing more."""

    def __init__(self, nodes: NodeClient, drains: Drains | None = None) -> None:
        self._nodes, self._drains = nodes, drains
        self._told: dict[str, NodeHealth | None] = {}
        self._slow_until: dict[str, float] = {}
        self._asked_at = -math.inf
        self._asking = asyncio.Lock()

    async def order(self, *, wanted: int = TOTAL_SHARDS) -> list[str]:
        """Return the living nodes that have room, the emptiest first, and what seems unwell last.

        When fewer than are wanted were known to have room, all are asked again: one may be back.
        """
        drained = frozenset() if self._drains is None else await asyncio.to_thread(self._drains.nodes)
        async with self._asking:
            is_old = time.monotonic() - self._asked_at > HEALTH_MEMORY_S
            if is_old or len(by_room(self._told)) < wanted:
                self._told = await self._nodes.healths()
                self._asked_at = time.monotonic()
        return sorted((node for node in by_room(self._told) if node not in drained), key=self._is_unwell)

    def note_slow(self, node: str) -> None:
        """Remember that another node had a fragment before this one, which was asked long before."""
        _log.warning("node_slow node=%s", node)
        self._slow_until[node] = time.monotonic() + SLOW_MEMORY_S

    def _is_unwell(self, node: str) -> bool:
        slow = self._slow_until.get(node, 0.0) > time.monotonic()
        return slow or self._nodes.seems_down(node) or self._nodes.is_suspect(node)


def by_room(told: Mapping[str, NodeHealth | None]) -> list[str]:
    """Return the nodes that answered and have room for a fragment, the emptiest first."""
    free = {node: health.bytes_free for node, health in told.items() if health is not None}
    roomy = [node for node, room in free.items() if room is None or room >= FRAGMENT_SIZE]
    _LOTS.shuffle(roomy)
    return sorted(roomy, key=lambda node: -_magnitude(free[node]))


def _magnitude(room: int | None) -> int:
    return 0 if room is None else math.floor(math.log(room, NEAR_EQUAL))
