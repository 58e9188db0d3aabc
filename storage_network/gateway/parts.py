"""The parts of one gateway, which its routes share."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import aiohttp

from caregrid.errors import DiskLow
from storage_network import files
from storage_network.gateway import drains
from storage_network.gateway.audit import Auditor
from storage_network.gateway.catalogue import Catalogue
from storage_network.gateway.collector import Collector
from storage_network.gateway.dispersal import Disperser
from storage_network.gateway.drains import Drains
from storage_network.gateway.garbage import GarbageList
from storage_network.gateway.homes import Homes, JournalledNodes
from storage_network.gateway.journal import Journal
from storage_network.gateway.limits import Limits
from storage_network.gateway.metrics import GatewayMetrics
from storage_network.gateway.moves import MoveList
from storage_network.gateway.moving import Mover, MoveTools
from storage_network.gateway.placement import Prober
from storage_network.gateway.reader import Reader
from storage_network.gateway.repair import Repairer
from storage_network.gateway.resumable import ResumableUploads
from storage_network.gateway.storing import Storing
from storage_network.gateway.territories import FILE_NAME, Territories
from storage_network.gateway.turns import Turns
from storage_network.gateway.uploads import UploadList
from storage_network.gateway.writing import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from storage_network.gateway.settings import GatewaySettings

#: Uploads received at once; each lies on the gateway's disk until it is spread.
MAX_UPLOADS: Final = 16
#: Reads served at once; each holds a fragment in memory.
MAX_READS: Final = 32
#: Between looks for unfinished uploads that are too old.
SWEEP_INTERVAL_S: Final = 300.0

_READ_SIZE: Final = 1024 * 1024
_log = logging.getLogger(__name__)


class Gateway:
    """Made before the application starts; its folder is touched when it does."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.spools = settings.root / "spool"
        self.metrics, self.limits = GatewayMetrics(), Limits(settings)
        self.drains, self.turns = Drains(settings.root / drains.FILE_NAME), Turns()
        self.territories = Territories(settings.root / FILE_NAME, required=settings.require_territories)

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        """Open everything, and close it at the end."""
        files.clear_folder(self.spools)
        self.catalogue = Catalogue(self.settings.root / "catalogue.sqlite")
        try:
            await self._open_lists()
            # TLS or not is the addresses' affair; with a context, only our authority counts.
            connector = aiohttp.TCPConnector(ssl=self.settings.nodes_tls or True)
            async with aiohttp.ClientSession(connector=connector, read_bufsize=_READ_SIZE) as session:
                self._open_workers(session)
                yield
        finally:
            self.catalogue.close()

    async def collect(self) -> None:
        """Delete from nodes what no object has, for ever."""
        await self.collector.run()

    async def audit(self) -> None:
        """Read samples, for ever."""
        await self.auditor.run()

    async def move(self) -> None:
        """Move fragments off drained nodes and to emptier ones, for ever."""
        await self.mover.run()

    async def sweep(self) -> None:
        """Delete unfinished uploads that are too old, for ever."""
        while True:
            try:
                await self.resumable.sweep()
            except DiskLow:
                _log.warning("uploads_not_swept reason=disk_full")
            await asyncio.sleep(SWEEP_INTERVAL_S)

    async def _open_lists(self) -> None:
        database = self.catalogue.database
        self.garbage, self.moves = GarbageList(database), MoveList(database)
        self.journal = Journal(self.garbage, abandoned_age_s=self.settings.abandoned_age_s)
        await self.journal.recover()
        self.unfinished = UploadList(database, self.settings.uploads)
        self.resumable = ResumableUploads(self.settings.root / "resumable", self.unfinished)
        await asyncio.to_thread(self.resumable.clear)

    def _open_workers(self, session: aiohttp.ClientSession) -> None:
        settings = self.settings
        self.nodes = nodes = JournalledNodes(session, settings.nodes, settings.token, self.journal)
        homes = Homes(nodes, self.drains)
        writer = Writer(nodes, homes)
        self.reader, self.prober, self.repairer = Reader(nodes), Prober(nodes), Repairer(nodes, homes, writer)
        self.storing = Storing(Disperser(homes, writer), self.catalogue, self.journal, self.territories)
        self.mover = self._mover(homes)
        self.collector = Collector(nodes, self.garbage, self.journal)
        self.auditor = Auditor(nodes, self.catalogue, settings.audit_interval_s)
        self.places_to_write, self.places_to_read = (
            asyncio.Semaphore(MAX_UPLOADS),
            asyncio.Semaphore(MAX_READS),
        )

    def _mover(self, homes: Homes) -> Mover:
        tools = MoveTools(
            nodes=self.nodes,
            homes=homes,
            reader=self.reader,
            catalogue=self.catalogue,
            moves=self.moves,
            drains=self.drains,
            journal=self.journal,
            turns=self.turns,
        )
        return Mover(tools, self.settings.moving)
