"""Deletes from the nodes what no object has any more."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from caregrid.errors import DiskLow, StorageUnreachable
from storage_network.gateway.concurrency import together

if TYPE_CHECKING:
    from storage_network.gateway.garbage import GarbageList
    from storage_network.gateway.journal import Journal
    from storage_network.gateway.node_client import NodeClient

#: Between rounds, when nothing asks for one.
INTERVAL_S: Final = 10.0

_BATCH: Final = 64
_log = logging.getLogger(__name__)


class Collector:
    """Works the garbage list off; a node that is down keeps its entries until it is back."""

    def __init__(self, nodes: NodeClient, garbage: GarbageList, journal: Journal) -> None:
        self._nodes, self._garbage, self._journal = nodes, garbage, journal
        self._asked = asyncio.Event()
        self.deleted = 0  #: fragments, since the start

    def wake(self) -> None:
        """Have a round begin now."""
        self._asked.set()

    async def run(self) -> None:
        """Work for ever."""
        while True:
            await self.collect()
            try:
                async with asyncio.timeout(INTERVAL_S):
                    await self._asked.wait()
            except TimeoutError:
                continue
            finally:
                self._asked.clear()

    async def collect(self) -> None:
        """Delete what is due on every node that answers; a full disk puts off what cannot be noted."""
        await self._journal.settle()
        await together(self._clear(node) for node in self._nodes.names if not self._nodes.seems_down(node))

    async def _clear(self, node: str) -> None:
        while digests := await asyncio.to_thread(self._garbage.due, node, time.time(), _BATCH):
            async with self._journal.deleting(node, digests) as unused:
                try:
                    for digest in unused:
                        await self._nodes.delete(node, digest)
                    await asyncio.to_thread(self._garbage.forget, node, digests)
                except (StorageUnreachable, DiskLow):
                    return
            self.deleted += len(unused)
            _log.info("fragments_deleted node=%s count=%d", node, len(unused))
