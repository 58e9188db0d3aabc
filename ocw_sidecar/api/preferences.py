"""Which channels a caller is told by. Addresses and secrets go in and never come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import structlog
from aiohttp import web
from pydantic import Field

from caregrid.errors import ChannelRefused, InputInvalid
from ocw_sidecar.api import requests
from ocw_sidecar.api.callers import CALLER, Scope
from ocw_sidecar.api.feed import account_of
from ocw_sidecar.api.models import Given, Replayed, Taken
from ocw_sidecar.api.replies import reply
from ocw_sidecar.api.routes import Answer, Body, Route
from ocw_sidecar.notifications.items import NoticeKind
from ocw_sidecar.notifications.parsing import choices_of
from ocw_sidecar.notifications.preferences import MAX_CHANNELS
from ocw_sidecar.notifications.targets import MAX_URL_CHARS, TargetType
from ocw_sidecar.pipeline.bells import Bell

if TYPE_CHECKING:
    from ocw_sidecar.notifications.port import Outbox
    from ocw_sidecar.notifications.preferences import Preferences
    from ocw_sidecar.pipeline.bench import Bench

TimeOfDay = Annotated[
    str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="In UTC, like 07:30.")
]

log = structlog.get_logger()


class ChannelIn(Taken):
    """One way to be told."""

    type: TargetType
    url: Annotated[
        str,
        Field(
            pattern="^[A-Za-z][A-Za-z0-9+.-]*://[!-~]+$",
            max_length=MAX_URL_CHARS,
            description="Of a webhook https://..., else one of apprise's URLs. It is kept sealed.",
        ),
    ]
    secrets: Annotated[
        list[Annotated[str, Field(pattern="^whsec_[A-Za-z0-9+/]{32,88}={0,2}$", max_length=96)]],
        Field(max_length=2, description="What a webhook is signed with: one, or two while one is replaced."),
    ] = Field(default=[])
    kinds: Annotated[
        list[NoticeKind] | None,
        Field(
            max_length=len(NoticeKind),
            description="By default all but key_released. Emergency access always comes.",
        ),
    ] = None
    digest_at: Annotated[
        TimeOfDay | None, Field(description="Once a day at this time; by default at once.")
    ] = None


class PreferencesIn(Taken):
    """All ways to be told; the feed holds every notice whatever stands here."""

    channels: Annotated[list[ChannelIn], Field(max_length=MAX_CHANNELS)]


class ChannelOut(Given):
    """One way to be told, and how it fares."""

    type: TargetType
    scheme: Annotated[str, Field(description="What stands before the colon of its URL.")]
    host: Annotated[str | None, Field(description="Of a webhook's URL.")]
    kinds: list[NoticeKind]
    digest_at: TimeOfDay | None
    failures: Annotated[int, Field(ge=0, description="In a row.")]
    waiting: Annotated[int, Field(ge=0, description="Notices that are still to go.")]
    given_up: Annotated[int, Field(ge=0, description="Notices that could not be delivered.")]
    code: Annotated[str | None, Field(description="What the last failure was.")]


class PreferencesOut(Given):
    """All ways to be told."""

    channels: list[ChannelOut]


class PreferenceHandlers:
    """The resource `/v1/preferences`."""

    def __init__(self, bench: Bench, preferences: Preferences, outbox: Outbox) -> None:
        self._bench, self._preferences, self._outbox = bench, preferences, outbox

    async def get(self, request: web.Request) -> web.Response:
        """Say which channels there are."""
        return await self._answer(self._account(request))

    async def put(self, request: web.Request) -> web.Response:
        """Set the channels; what waits for one goes the new way."""
        account = self._account(request)
        # Whoever submits is told of his failures, and chooses a way before the first.
        if not request[CALLER].scopes & {Scope.OPERATE, Scope.SUBMIT}:
            await self._preferences.require_known(account)
        wanted = await requests.json_body(request, PreferencesIn)
        try:
            choices = choices_of(wanted.model_dump(mode="json")["channels"])
        except InputInvalid as exc:
            # Well-formed, and still no way to anybody.
            raise ChannelRefused(str(exc)) from None
        await self._preferences.replace(account, choices)
        self._bench.bells.ring(Bell.NOTIFY)
        log.info("preferences_set", channels=len(choices))
        return await self._answer(account)

    async def delete(self, request: web.Request) -> web.Response:
        """Forget the channels, and what waits for them."""
        await self._preferences.replace(self._account(request), [])
        return web.Response(status=204)

    async def replay(self, request: web.Request) -> web.Response:
        """Try again what could not be delivered."""
        now = self._bench.ports.now()
        replayed = await self._outbox.replay_failed(self._account(request), now)
        self._bench.bells.ring(Bell.NOTIFY)
        return reply(Replayed(replayed=replayed))

    async def _answer(self, account: bytes) -> web.Response:
        channels = [ChannelOut(**each) for each in await self._preferences.described(account)]
        return reply(PreferencesOut(channels=channels))

    def _account(self, request: web.Request) -> bytes:
        return account_of(request, self._bench.settings.organisation)


def routes(handlers: PreferenceHandlers) -> list[Route]:
    """Return the routes."""
    path, told = "/v1/preferences", [Answer(status=200, description="The channels.", model=PreferencesOut)]
    return [
        Route(
            method="GET",
            path=path,
            handler=handlers.get,
            summary="Say which channels one is told by",
            scope=Scope.FEED,
            answers=told,
        ),
        Route(
            method="PUT",
            path=path,
            handler=handlers.put,
            summary="Set the channels one is told by",
            scope=Scope.FEED,
            body=Body(model=PreferencesIn),
            answers=told,
        ),
        Route(
            method="DELETE",
            path=path,
            handler=handlers.delete,
            summary="Be told by the feed alone",
            scope=Scope.FEED,
            answers=[Answer(status=204, description="There are no channels now.")],
        ),
        Route(
            method="POST",
            path=f"{path}/replay",
            handler=handlers.replay,
            summary="Try again to deliver what was given up",
            scope=Scope.FEED,
            answers=[Answer(status=200, description="How many notices.", model=Replayed)],
        ),
    ]
