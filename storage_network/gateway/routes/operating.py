"""For whoever runs the gateway."""

from __future__ import annotations

import asyncio
import importlib.metadata
from typing import TYPE_CHECKING

from aiohttp import web

from storage_network import process

if TYPE_CHECKING:
    from storage_network.gateway.parts import Gateway


class Operating:
    """Tells how the gateway itself is."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def version(self, _: web.Request) -> web.Response:
        """Tell what this is, in DeOSS's form."""
        return web.json_response(f"caregrid gateway {importlib.metadata.version('caregrid')}")

    async def livez(self, _: web.Request) -> web.Response:
        """Answer."""
        return web.Response(text="ok")

    async def metrics(self, _: web.Request) -> web.Response:
        """Tell what has been counted, in Prometheus' text format."""
        gateway = self._gateway
        unfinished, size = await asyncio.to_thread(gateway.unfinished.unfinished)
        gateway.metrics.note_work(
            restored=gateway.reader.restored,
            garbage=await asyncio.to_thread(gateway.garbage.count),
            unfinished=len(unfinished),
            unfinished_bytes=size,
            moved=gateway.mover.moved,
        )
        gateway.metrics.note_nodes(gateway.nodes, await gateway.nodes.healths())
        drained = await asyncio.to_thread(gateway.drains.nodes)
        left = {node: await asyncio.to_thread(gateway.moves.count, node) for node in sorted(drained)}
        gateway.metrics.note_drains(left)
        return web.Response(body=gateway.metrics.text(), headers={"Content-Type": process.METRICS_TYPE})
