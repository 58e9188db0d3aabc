"""The form of a route: what it takes, gives and needs is declared once, for checks and description."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiohttp import web

from caregrid.errors import ScopeMissing
from caregrid.records import RECORD_ID_LEN
from ocw_sidecar.api import requests
from ocw_sidecar.api.callers import CALLER
from ocw_sidecar.api.models import NoQuery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from aiohttp.typedefs import Handler
    from pydantic import BaseModel

    from ocw_sidecar.api.callers import Scope
    from ocw_sidecar.api.limits import Limits

#: The query of a request, checked: an instance of what its route declares.
QUERY: Final = web.RequestKey("query", object)

JSON: Final = "application/json"

Q = TypeVar("Q")


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """A header that a route reads."""

    name: str
    schema: Mapping[str, Any]
    description: str
    required: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """Where to follow what an answer began."""

    path: str  #: of a GET, with `{id}` in it
    pointer: str  #: where that id stands in the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a route answers when all is well."""

    status: int
    description: str
    model: type[BaseModel] | None = None
    media: str = JSON
    leads_to: Link | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """What a route takes as content."""

    media: Sequence[str] = (JSON,)
    model: type[BaseModel] | None = None  #: None: bytes
    required: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One kind of request."""

    method: str
    path: str
    handler: Handler
    summary: str
    answers: Sequence[Answer]
    scope: Scope | None = None  #: None below `/v1/`: any caller who is known
    query: type[BaseModel] = NoQuery
    headers: Sequence[Header] = ()
    body: Body | None = None
    path_lengths: Mapping[str, int] = field(default_factory=dict)  #: bytes of each hex id in the path
    guarded: bool = True  #: needs a caller

    def definition(self, limits: Limits) -> web.RouteDef:
        """Return the route for the application, with its checks in front of the handler."""
        handler = _checked(self, limits) if self.guarded else _plain(self)
        if self.method == "GET":
            # Probes ask for heads; a head of anything else would cost what the answer costs.
            return web.get(self.path, handler, allow_head=not self.guarded)
        return web.route(self.method, self.path, handler)


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """A wish about one record that is followed under the path where it was made."""

    path: str  #: with the record's `{id}` in it
    ask: Handler
    look: Handler
    asking: str  #: the summary of asking
    looking: str  #: the summary of looking how far it is
    durable: str  #: what 202 says
    scope: Scope
    model: type[BaseModel]
    body: Body | None = None

    def routes(self) -> list[Route]:
        """Return the two routes."""
        link = Link(path=self.path, pointer="/record")
        asked = Answer(status=202, description=self.durable, model=self.model, leads_to=link)
        found = Answer(status=200, description="How far it is.", model=self.model)
        look = Route(
            method="GET",
            path=self.path,
            handler=self.look,
            summary=self.looking,
            scope=self.scope,
            path_lengths={"id": RECORD_ID_LEN},
            answers=(found,),
        )
        ask = replace(
            look, method="POST", handler=self.ask, summary=self.asking, body=self.body, answers=(asked,)
        )
        return [ask, look]


def query_of(request: web.Request, kind: type[Q]) -> Q:
    """Return a request's checked query."""
    query = request[QUERY]
    if not isinstance(query, kind):
        raise TypeError("a handler asks for another query than its route declares")
    return query


def require_scope(request: web.Request, scope: Scope | None) -> None:
    """Refuse a caller who lacks a scope.

    Raises:
        ScopeMissing: he does.
    """
    if scope is not None and scope not in request[CALLER].scopes:
        raise ScopeMissing(f"this needs the scope {scope}; use a token or an account that has it")


def _plain(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        request[QUERY] = requests.query(request, route.query)
        return await route.handler(request)

    return serve


def _checked(route: Route, limits: Limits) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    plain = _plain(route)

    async def serve(request: web.Request) -> web.StreamResponse:
        require_scope(request, route.scope)
        await limits.request(request[CALLER])
        return await plain(request)

    return serve
