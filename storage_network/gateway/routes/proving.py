"""Tags and proofs: CareGrid's own addition to DeOSS's API.

::

    PUT  /fragment/tags?fid=&segment=&index=&tags=     by an owner; the body are tags, as a node takes them
    GET  /fragment/tags?fid=&segment=&index=           {"tags": [sha256, ...]}
    POST /fragment/proof?fid=&segment=&index=&tags=    the body is a challenge, the answer a proof

Each is signed. A refusal's `data` names its reason: `fragment_lost` or `tags_unknown` with 410,
`proof_overdue` with 504.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web

from caregrid.errors import FragmentLost, ProofOverdue, TagsUnknown, Unauthorised
from caregrid.proofs.podr2 import MAX_CHALLENGE_LEN
from storage_network.gateway.envelope import GatewayError, success
from storage_network.gateway.proving import Proving as Nodes
from storage_network.gateway.routes import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage_network.gateway.parts import Gateway
    from storage_network.gateway.records import PlacedFragment, StoredObject

#: Public tags with their key are the longest that a client sends.
MAX_TAGS_BODY: Final = 64 * 1024
#: Both are sent at once; a client that takes longer is gone.
BODY_TIMEOUT_S: Final = 10.0

_MAX_DIGITS: Final = 4


class Proving:
    """Passes tags, challenges and proofs on."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def put_tags(self, request: web.Request) -> web.Response:
        """Have a fragment's node keep tags."""
        account = await requests.account_of(self._gateway, request)
        stored = await self._find(request)
        owners = await asyncio.to_thread(self._gateway.catalogue.owners, stored.fid)
        if account not in {owner.account for owner in owners}:
            raise Unauthorised("only an owner has an object's fragments tagged")
        fragment, name = _fragment(stored, request), _name(request)
        async with requests.place(self._gateway.places_to_read):
            body = await _body(request, MAX_TAGS_BODY)
            with _reasons():
                await Nodes(self._gateway.nodes).put_tags(fragment, name, body)
        return success({"node": fragment.node})

    async def tags(self, request: web.Request) -> web.Response:
        """Tell which tags a fragment's node keeps."""
        await requests.account_of(self._gateway, request)
        fragment = _fragment(await self._find(request), request)
        with _reasons():
            return success({"tags": await Nodes(self._gateway.nodes).tags(fragment)})

    async def prove(self, request: web.Request) -> web.Response:
        """Have a fragment's node answer a challenge."""
        await requests.account_of(self._gateway, request)
        fragment, name = _fragment(await self._find(request), request), _name(request)
        async with requests.place(self._gateway.places_to_read):
            challenge = await _body(request, MAX_CHALLENGE_LEN)
            with _reasons():
                proof = await Nodes(self._gateway.nodes).prove(fragment, name, challenge)
        return web.Response(body=proof, content_type="application/octet-stream")

    async def _find(self, request: web.Request) -> StoredObject:
        fid = requests.digest_of(request.query.get("fid", ""), "fid")
        return await requests.find(self._gateway, fid)


def _fragment(stored: StoredObject, request: web.Request) -> PlacedFragment:
    segment, index = _number(request, "segment"), _number(request, "index")
    if segment >= len(stored.segments) or index >= len(stored.segments[segment]):
        raise GatewayError(404, "Not found")
    return stored.segments[segment][index]


def _number(request: web.Request, name: str) -> int:
    text = request.query.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        raise GatewayError(400, f"invalid {name}")
    return int(text)


def _name(request: web.Request) -> bytes:
    return requests.digest_of(request.query.get("tags", ""), "tags")


async def _body(request: web.Request, limit: int) -> bytes:
    length = request.content_length
    if length is None or not 0 < length <= limit:
        raise GatewayError(413, "the body must have a length", {"limit": limit})
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.content.readexactly(length)
    except (asyncio.IncompleteReadError, TimeoutError, web.RequestPayloadError):
        raise GatewayError(400, "network error") from None


@contextmanager
def _reasons() -> Iterator[None]:
    try:
        yield
    except FragmentLost as exc:
        raise GatewayError(410, str(exc), {"reason": "fragment_lost"}) from None
    except TagsUnknown as exc:
        raise GatewayError(410, str(exc), {"reason": "tags_unknown"}) from None
    except ProofOverdue as exc:
        raise GatewayError(504, str(exc), {"reason": "proof_overdue"}) from None
