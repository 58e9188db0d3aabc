"""What only an owner may do: delete, repair, and look at a territory."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import TerritoryUnusable, Unauthorised
from storage_network.gateway.envelope import success
from storage_network.gateway.routes import requests

if TYPE_CHECKING:
    from aiohttp import web

    from storage_network.gateway.parts import Gateway
    from storage_network.gateway.territories import Territory

#: Where DeOSS names the block of a deletion; there is no chain behind this gateway.
NO_BLOCK: Final = "0x" + "0" * 64
#: What is told where nothing is limited, for who reads the numbers alone: the largest that JSON has exactly.
MAX_SPACE: Final = 2**53 - 1


class Owning:
    """Acts for an object's owners."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def delete(self, request: web.Request) -> web.Response:
        """Take an object from its owner; with the last one its fragments go, soon."""
        account = await requests.account_of(self._gateway, request)
        stored = await requests.find(self._gateway, requests.fid_of(request))
        removed = await asyncio.to_thread(self._gateway.catalogue.remove_owner, stored.fid, account)
        if not removed:
            raise Unauthorised("only an owner deletes an object")
        self._gateway.collector.wake()
        return success({"block hash": NO_BLOCK})

    async def repair(self, request: web.Request) -> web.Response:
        """Rebuild fragments that are lost or damaged."""
        account = await requests.account_of(self._gateway, request)
        gateway = self._gateway
        fid = requests.fid_of(request)
        await requests.find(gateway, fid)
        owners = await asyncio.to_thread(gateway.catalogue.owners, fid)
        if account not in {owner.account for owner in owners}:
            raise Unauthorised("only an owner has an object repaired")
        rebuilt = 0
        async with gateway.turns.of(fid), gateway.journal.batch():
            stored = await requests.find(gateway, fid)
            async for done in gateway.repairer.repair(stored):
                moves = [(each.segment, each.position, each.node) for each in done]
                await asyncio.to_thread(gateway.catalogue.move, fid, moves)
                rebuilt += len(done)
        placement = await gateway.prober.placement(await requests.find(gateway, fid))
        return success({"rebuilt": rebuilt, "placement": placement})

    async def territory(self, request: web.Request) -> web.Response:
        """Tell how much space a territory of the account has left; without a limit, that there is none."""
        account = await requests.account_of(self._gateway, request)
        name = request.match_info["name"]
        requests.require_territory_name(name)
        territories = self._gateway.territories
        territory = await asyncio.to_thread(territories.find, account, name)
        if territory is None and territories.required:
            raise TerritoryUnusable("please purchase territory first")
        used = await asyncio.to_thread(self._gateway.catalogue.used, account, name)
        if territory is None or not territories.required:
            return success(_unlimited(name, used))
        return success(_limited(territory, used))


def _limited(territory: Territory, used: int) -> dict[str, Any]:
    deadline = territory.deadline
    return {
        "name": territory.name,
        "total": territory.total,
        "used": used,
        "remaining": max(0, territory.total - used),
        "state": "frozen" if territory.is_over(datetime.now(UTC)) else "active",
        "deadline": None if deadline is None else int(deadline.timestamp()),
        "unlimited": False,
    }


def _unlimited(name: str, used: int) -> dict[str, Any]:
    return {
        "name": name,
        "total": MAX_SPACE,
        "used": used,
        "remaining": MAX_SPACE - used,
        "state": "active",
        "deadline": None,
        "unlimited": True,
    }
