"""What is stored, whose it is, and where it lies."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import ObjectUnknown, Unauthorised
from storage_network.gateway import auth
from storage_network.gateway.envelope import GatewayError, success
from storage_network.gateway.node_client import NodeHealth
from storage_network.gateway.records import OwnedObject, Owner, space_of
from storage_network.gateway.routes import requests

if TYPE_CHECKING:
    from aiohttp import web

    from storage_network.gateway.parts import Gateway
    from storage_network.gateway.records import StoredObject

#: Entries of one answer to a list.
MAX_LISTED: Final = 1_000

_SILENT: Final = NodeHealth(fragments=None, bytes_free=None, bytes_used=None, bytes_limit=None, corrupt=None)
_DETAILS: Final = frozenset({"fragments", "checked"})


class Describing:
    """Answers questions; content is never part of an answer."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def metadata(self, request: web.Request) -> web.Response:
        """Describe an object; with a header `Placement`, where it is, too."""
        fid = requests.fid_of(request)
        catalogue = self._gateway.catalogue
        size = await asyncio.to_thread(catalogue.size, fid)
        if size is None:
            raise ObjectUnknown("Not found")
        owners = await asyncio.to_thread(catalogue.owners, fid)
        answer: dict[str, Any] = {
            "fid": fid.hex(),
            "size": size,
            "owner": [_described(each) for each in owners],
        }
        if "Placement" in request.headers:
            stored = await requests.find(self._gateway, fid)
            answer["placement"] = await self._placement(stored, request.headers["Placement"])
        return success(answer)

    async def location(self, request: web.Request) -> web.Response:
        """Tell the nodes of an object's first segment, in DeOSS's form."""
        stored = await requests.find(self._gateway, requests.fid_of(request))
        nowhere = {"longitude": 0, "latitude": 0}
        return success(
            {
                f"{index} batch fragments": {"account": fragment.node, "location": nowhere}
                for index, fragment in enumerate(stored.segments[0])
            }
        )

    async def list_files(self, request: web.Request) -> web.Response:
        """List an account's objects, in the order of their ids, up to a number."""
        account = _listed_account(request)
        territory = request.query.get("Territory", request.headers.get("Territory"))
        after = request.query.get("after")
        found = await asyncio.to_thread(
            self._gateway.catalogue.owned,
            account,
            territory=territory,
            after=b"" if after is None else requests.digest_of(after, "fid"),
            limit=_limit(request.query.get("limit", str(MAX_LISTED))),
        )
        return success([_entry(each) for each in found] or None)

    async def nodes(self, request: web.Request) -> web.Response:
        """Tell how every node is."""
        await requests.account_of(self._gateway, request)
        told = await self._gateway.nodes.healths()
        drained = await asyncio.to_thread(self._gateway.drains.nodes)
        return success(
            [
                {
                    "node": node,
                    "living": health is not None,
                    "draining": node in drained,
                    **asdict(health or _SILENT),
                }
                for node, health in told.items()
            ]
        )

    async def _placement(self, stored: StoredObject, how: str) -> dict[str, Any]:
        if how in _DETAILS:
            return await self._gateway.prober.detail(stored, checked=how == "checked")
        return await self._gateway.prober.placement(stored)


def _described(owner: Owner) -> dict[str, str]:
    return {"user": auth.cess_address(owner.account), "file_name": owner.name, "territory": owner.territory}


def _listed_account(request: web.Request) -> bytes:
    address = request.query.get("Account") or request.headers.get("Account")
    if not address:
        raise GatewayError(400, "Please set your Account in the header or url")
    try:
        return auth.account_of(address)
    except Unauthorised as exc:
        raise GatewayError(400, "Invalid CESS account: no address") from exc


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_LISTED:
        raise GatewayError(400, f"the limit must be from 1 to {MAX_LISTED}")
    return int(text)


def _entry(owned: OwnedObject) -> dict[str, Any]:
    return {
        "territory": owned.territory,
        "fid": owned.fid.hex(),
        "size": space_of(owned.size),
        "bytes": owned.size,
    }
