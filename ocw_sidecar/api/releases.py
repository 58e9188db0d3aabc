"""To whom a record's data key was handed out: listed for who may know, and told to who asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from caregrid.errors import AccessRefused, NotFound
from ocw_sidecar.api import requests
from ocw_sidecar.api.callers import CALLER, Scope
from ocw_sidecar.api.models import DEFAULT_ITEMS, Given, LongOut, Taken
from ocw_sidecar.api.replies import reply, to_ms
from ocw_sidecar.api.routes import Answer, Route
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.pipeline.releases import Ground
from ocw_sidecar.pipeline.search import MAX_ITEMS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aiohttp import web

    from ocw_sidecar.api.operators import Controllers
    from ocw_sidecar.notifications.port import Notices
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.releases import Release
    from ocw_sidecar.pipeline.search import Search

_LARGEST: Final = (1 << 63) - 1


class ReleasesQuery(Taken):
    """Which releases to list."""

    before: Annotated[int | None, Field(ge=1, le=_LARGEST)] = None
    limit: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = DEFAULT_ITEMS


class KeyRelease(Given):
    """One time that a record's data key was handed out."""

    account: Annotated[LongOut, Field(description="To whom.")]
    released: Annotated[int, Field(description="Milliseconds since 1970.")]
    ground: Annotated[
        Ground | None,
        Field(description="By what he might have it; null where an older version wrote none down."),
    ]
    emergency: Annotated[bool, Field(description="Whether it was by emergency access.")]


class KeyReleaseList(Given):
    """A page of a record's releases, the newest first."""

    releases: list[KeyRelease]
    next: Annotated[int | None, Field(description="Pass as `before`; null at the end.")]


class Releases:
    """The resource `/v1/records/{id}/releases`."""

    def __init__(self, bench: Bench, search: Search, controllers: Controllers) -> None:
        self._bench, self._search, self._controllers = bench, search, controllers

    async def find(self, request: web.Request) -> web.Response:
        """List a record's releases for the house, and for whoever decides for its patient."""
        record_id, query = requests.record_id_of(request), requests.query(request, ReleasesQuery)
        account = request[CALLER].account
        if account is not None and not await self._controllers.oversees(record_id, account):
            raise AccessRefused("only the custodian and whoever decides for the patient see who had the key")
        page = await self._search.releases(record_id, before=query.before, limit=query.limit)
        if not page.items and await self._bench.queue.releasable_key(record_id) is None:
            raise NotFound("no record with this id was accepted here; check the id")
        return reply(KeyReleaseList(releases=[_given(each) for each in page.items], next=page.next))


class ReleaseNews:
    """Tells whoever decides for a patient that a key was handed out, if he has a channel for that."""

    def __init__(self, controllers: Controllers, notices: Notices) -> None:
        self._controllers, self._notices = controllers, notices

    async def tell(self, record_id: bytes, account: bytes, ground: Ground, now: datetime) -> None:
        """Keep a notice of a release that is about to be made.

        Raises:
            ChainUnreachable: whom to tell cannot be found out now.
        """
        controller = await self._controllers.of_record(record_id)
        if controller is None or controller == account:
            return
        if not await self._notices.wants(controller, NoticeKind.KEY_RELEASED):
            return
        facts = {"record": record_id.hex(), "grantee": account.hex(), "code": str(ground)}
        told = notice(NoticeKind.KEY_RELEASED, controller, now, **facts, released_at=to_ms(now))
        await self._notices.add([told])


def routes(to: Releases) -> Sequence[Route]:
    """Return the route that leads there."""
    return [
        Route(
            method="GET",
            path="/v1/records/{id}/releases",
            handler=to.find,
            summary="List to whom a record's data key was handed out, the newest first",
            scope=Scope.AUDIT,
            query=ReleasesQuery,
            path_lengths={"id": 16},
            answers=(Answer(status=200, description="A page.", model=KeyReleaseList),),
        ),
    ]


def _given(release: Release) -> KeyRelease:
    return KeyRelease(
        account=release.account.hex(),
        released=to_ms(release.released_at),
        ground=release.ground,
        emergency=release.ground == Ground.EMERGENCY,
    )
