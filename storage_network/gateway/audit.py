"""Samples: the gateway reads fragments by itself, so that a node that lies is noticed before a reader is."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from caregrid.errors import StorageUnreachable

if TYPE_CHECKING:
    from storage_network.gateway.catalogue import Catalogue
    from storage_network.gateway.node_client import NodeClient

_log = logging.getLogger(__name__)


class Auditor:
    """Reads a fragment, taken at random, from each node in turn and checks it against its hash."""

    def __init__(self, nodes: NodeClient, catalogue: Catalogue, interval_s: float) -> None:
        self._nodes, self._catalogue, self._interval_s = nodes, catalogue, interval_s

    async def run(self) -> None:
        """Work for ever; an interval of 0 ends it at once."""
        while self._interval_s > 0:
            await asyncio.sleep(self._interval_s)
            await self.audit()

    async def audit(self) -> None:
        """Read one fragment from every node that seems up; in turn, since each takes 16 MiB of memory."""
        for node in self._nodes.names:
            if not self._nodes.seems_down(node):
                await self._sample(node)

    async def _sample(self, node: str) -> None:
        digest = await asyncio.to_thread(self._catalogue.any_fragment, node)
        if digest is None:
            return
        try:
            await self._nodes.get(node, digest)
        except StorageUnreachable as exc:
            _log.warning("sample_failed node=%s reason=%s", node, exc)
