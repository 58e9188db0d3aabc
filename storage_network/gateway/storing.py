"""From bytes on the gateway's disk to a recorded object on the nodes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from caregrid.errors import TerritoryUnusable
from storage_network.gateway.records import StoredObject, space_of

if TYPE_CHECKING:
    from storage_network.gateway.catalogue import Catalogue
    from storage_network.gateway.dispersal import Disperser
    from storage_network.gateway.journal import Journal
    from storage_network.gateway.records import Owner
    from storage_network.gateway.spool import Spool
    from storage_network.gateway.territories import Territories


class Storing:
    """Stores uploads for their owners."""

    def __init__(
        self, disperser: Disperser, catalogue: Catalogue, journal: Journal, territories: Territories
    ) -> None:
        self._disperser, self._catalogue = disperser, catalogue
        self._journal, self._territories = journal, territories

    async def require_space(self, owner: Owner, size: int) -> int | None:
        """Return the bytes of space that the owner's territory has in all; None without a limit.

        Raises:
            TerritoryUnusable: the territory is missing, over, or has no room for an object of `size` bytes.
        """
        allowed = await asyncio.to_thread(self._territories.allowed, owner)
        if allowed is not None:
            used = await asyncio.to_thread(self._catalogue.used, owner.account, owner.territory)
            if used + space_of(size) > allowed:
                raise TerritoryUnusable("insufficient territory space")
        return allowed

    async def store(self, spool: Spool, owner: Owner) -> bytes:
        """Spread an upload over the nodes, unless it is there already, and return its file id.

        Raises:
            TerritoryUnusable: the owner has no space for it.
            Conflict: content of another size has its file id.
            StorageUnreachable: fewer than 12 nodes take fragments.
        """
        fid, segments = await asyncio.to_thread(spool.segments)
        if self._owns(await asyncio.to_thread(self._catalogue.owners, fid), owner):
            allowed = None  # he pays for it already
        else:
            allowed = await self.require_space(owner, spool.size)
        if await asyncio.to_thread(self._catalogue.add_owner, fid, spool.size, owner, allowed=allowed):
            return fid
        async with self._journal.batch():
            placed = await self._disperser.disperse(spool, segments)
            stored = StoredObject(fid=fid, size=spool.size, segments=placed, digests=tuple(segments))
            await asyncio.to_thread(self._catalogue.add, stored, owner, allowed=allowed)
        return fid

    @staticmethod
    def _owns(owners: list[Owner], owner: Owner) -> bool:
        return owner.account in {each.account for each in owners}
