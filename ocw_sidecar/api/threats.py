"""Networks and attack signatures that the organisation wants to share; the sidecar puts them on the chain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from caregrid.chain.port import BlockReason, Severity, SignatureFormat
from caregrid.threats import parse_network
from ocw_sidecar.api import requests
from ocw_sidecar.api.callers import Scope
from ocw_sidecar.api.models import Given, IdIn, IdOut, Taken
from ocw_sidecar.api.replies import reply, to_ms
from ocw_sidecar.api.routes import Answer, Body, Route
from ocw_sidecar.background import intake
from ocw_sidecar.pipeline.bells import Bell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web
    from aiohttp.typedefs import Handler
    from pydantic import BaseModel

    from ocw_sidecar.background.audit_log import AuditLog
    from ocw_sidecar.background.port import ThreatTables
    from ocw_sidecar.pipeline.bench import Bench

#: At least one sign that can be seen.
_SEEN: Final = r"[^\s\x00-\x1f\x7f-\x9f]"

Network = Annotated[
    str, Field(json_schema_extra={"format": "ip-network"}, description="CIDR, or one address.")
]


class NetworkWish(Taken):
    """A network that is to be blocked."""

    net: Network
    reason: BlockReason = BlockReason.POLICY
    hours: Annotated[
        float, Field(ge=0.01, le=intake.LONGEST.total_seconds() / 3600, description="For how long.")
    ] = 24.0


class NetworkNamed(Taken):
    """A network that is to be blocked no more."""

    net: Network


class SignatureWish(Taken):
    """What an attack looks like; it is public for ever, so it names nobody."""

    pattern: Annotated[str, Field(max_length=intake.MAX_PATTERN, pattern=_SEEN)]
    format: SignatureFormat
    severity: Severity
    id: Annotated[IdIn | None, Field(description="To know it by again; drawn here unless given.")] = None


class SignatureNamed(Taken):
    """A signature that is to be withdrawn."""

    id: IdIn


class NetworkNoted(Given):
    """What was written down."""

    net: str
    expires: Annotated[int, Field(description="Milliseconds since 1970.")]
    changed: Annotated[bool, Field(description="False: it was wanted just so before.")]


class SignatureNoted(Given):
    """What was written down."""

    signature: IdOut
    changed: Annotated[bool, Field(description="False: it was there before, and stays as it was.")]


class Withdrawn(Given):
    """What was written down."""

    changed: Annotated[bool, Field(description="False: it was not there.")]


class ThreatCount(Given):
    """How many entries of the organisation are how far."""

    table: str
    status: str
    items: int
    oldest: Annotated[int, Field(description="When the first was asked for; milliseconds since 1970.")]


class ThreatCounts(Given):
    """All of them."""

    counts: list[ThreatCount]


class ThreatHandlers:
    """The resource `/v1/threats`."""

    def __init__(self, bench: Bench, tables: ThreatTables, audit: AuditLog) -> None:
        self._bench, self._tables, self._audit = bench, tables, audit

    async def get(self, request: web.Request) -> web.Response:
        """Say how far the organisation's entries are."""
        del request
        counts = [
            ThreatCount(table=each.kind, status=each.status, items=each.items, oldest=to_ms(each.oldest))
            for each in await self._tables.counts()
        ]
        return reply(ThreatCounts(counts=counts))

    async def block(self, request: web.Request) -> web.Response:
        """Have a network blocked."""
        wish, now = await requests.json_body(request, NetworkWish), self._bench.ports.now()
        wanted = intake.new_block(wish.model_dump(), now=now)
        changed = await self._tables.block([wanted], now=now)
        await self._noted("threats-block", changed)
        noted = NetworkNoted(net=str(wanted.net), expires=to_ms(wanted.expires_at), changed=changed > 0)
        return reply(noted, status=202)

    async def unblock(self, request: web.Request) -> web.Response:
        """Have it blocked no more."""
        wish = await requests.json_body(request, NetworkNamed)
        net = str(parse_network(wish.net.strip()))
        changed = await self._tables.unblock([net], now=self._bench.ports.now())
        await self._noted("threats-unblock", changed)
        return reply(Withdrawn(changed=changed > 0), status=202)

    async def register(self, request: web.Request) -> web.Response:
        """Have an attack signature shared."""
        wish = await requests.json_body(request, SignatureWish)
        named = None if wish.id is None else wish.id.removeprefix("0x")
        wanted = intake.new_signature({**wish.model_dump(), "id": named})
        changed = await self._tables.register([wanted], now=self._bench.ports.now())
        await self._noted("threats-add-signature", changed)
        return reply(SignatureNoted(signature=wanted.signature_id.hex(), changed=changed > 0), status=202)

    async def retire(self, request: web.Request) -> web.Response:
        """Have it withdrawn."""
        wish = await requests.json_body(request, SignatureNamed)
        changed = await self._tables.retire([requests.from_hex(wish.id)], now=self._bench.ports.now())
        await self._noted("threats-retire-signature", changed)
        return reply(Withdrawn(changed=changed > 0), status=202)

    async def _noted(self, what: str, changed: int) -> None:
        """Write the audit log's entry, and wake who puts it on the chain."""
        await asyncio.to_thread(self._audit.append, what, "noted", {"changed": changed, "by": "api"})
        if changed:
            self._bench.bells.ring(Bell.SHARE)


def routes(to: ThreatHandlers) -> Sequence[Route]:
    """Return the routes that lead there."""
    found = Answer(status=200, description="By table and status.", model=ThreatCounts)
    return [
        Route(
            method="GET",
            path="/v1/threats",
            handler=to.get,
            summary="Say how many blocked networks and attack signatures of the organisation are how far",
            scope=Scope.THREATS,
            answers=(found,),
        ),
        _noting("/v1/threats/blocks", to.block, "Have a network blocked", NetworkWish, NetworkNoted),
        _noting("/v1/threats/unblocks", to.unblock, "Have it blocked no more", NetworkNamed, Withdrawn),
        _noting(
            "/v1/threats/signatures",
            to.register,
            "Have an attack signature shared",
            SignatureWish,
            SignatureNoted,
        ),
        _noting(
            "/v1/threats/retirements",
            to.retire,
            "Have an attack signature withdrawn",
            SignatureNamed,
            Withdrawn,
        ),
    ]


def _noting(
    path: str, handler: Handler, summary: str, wish: type[BaseModel], noted: type[BaseModel]
) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=handler,
        summary=summary,
        scope=Scope.THREATS,
        body=Body(model=wish),
        answers=(Answer(status=202, description="It is durable.", model=noted),),
    )
