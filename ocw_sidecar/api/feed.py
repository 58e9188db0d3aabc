"""A caller's own notices: a page at a time, or as server-sent events as they come."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import structlog
from aiohttp_sse import sse_response
from pydantic import Field

from caregrid.errors import AccessRefused, CaregridError, InputInvalid, RateLimited
from ocw_sidecar.api.callers import CALLER, Scope
from ocw_sidecar.api.models import Given, IdOut, Taken
from ocw_sidecar.api.replies import reply
from ocw_sidecar.api.routes import Answer, Header, Route, query_of
from ocw_sidecar.notifications.items import NoticeKind  # noqa: TC001 - pydantic reads annotations at run time
from ocw_sidecar.pipeline.bells import Bell, heard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiohttp import web
    from aiohttp_sse import EventSourceResponse

    from ocw_sidecar.notifications.feed import Page, Posted
    from ocw_sidecar.notifications.port import Notices
    from ocw_sidecar.pipeline.bells import Bells

#: A comment so often keeps proxies from cutting the feed, and shows both sides that the other is there.
HEARTBEAT_S: Final = 15.0
#: A reader who takes nothing for so long is cut off; he comes back and goes on where he was.
SEND_TIMEOUT_S: Final = 30.0
#: What another process took in rings no bell here; a feed looks by itself so often.
LOOK_EVERY_S: Final = 2.0
#: A page of these is held in memory for each open feed.
PAGE: Final = 100
#: Of one account; an application needs one.
FEEDS_PER_ACCOUNT: Final = 4
#: Of all feeds, one in so many may be of accounts that were never told anything: anybody can draw accounts.
STRANGERS_SHARE: Final = 4
#: What a reader waits before he comes back.
RETRY_MS: Final = 2000

_MAX_POSITION: Final = 1 << 53
_LAST_EVENT_ID: Final = "Last-Event-ID"

log = structlog.get_logger()


class NoticeQuery(Taken):
    """Which notices."""

    after: Annotated[
        int | None,
        Field(
            ge=0, le=_MAX_POSITION, description="Those behind this position; by default all that are kept."
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=PAGE)] = PAGE


class FeedQuery(Taken):
    """Where a feed begins."""

    after: Annotated[
        int | None,
        Field(ge=0, le=_MAX_POSITION, description="Behind this position; `Last-Event-ID` stands above it."),
    ] = None


class NoticeOut(Given):
    """One notice."""

    id: Annotated[IdOut, Field(description="The same in every channel.")]
    position: Annotated[int, Field(ge=1, description="1 for an account's first, then one more each.")]
    kind: NoticeKind
    at: Annotated[str, Field(description="ISO 8601, UTC.")]
    facts: Annotated[dict[str, str | int], Field(description="Ids in hex, block numbers, codes.")]


class NoticeList(Given):
    """A page of notices, the oldest first."""

    notices: list[NoticeOut]
    newest: Annotated[int, Field(ge=0, description="The position of the last one so far.")]
    gap: Annotated[int | None, Field(description="Some up to this position are gone; null if none is.")]


class Feed:
    """The resources `/v1/feed` and `/v1/notices`.

    Args:
        notices: what is kept.
        bells: one rings when there may be something new.
        organisation: whose notices an operator's token without an account reads.
        limit: how many feeds may be open at once.
        closed: tells whether the sidecar is stopping; feeds then end.
    """

    def __init__(
        self,
        notices: Notices,
        bells: Bells,
        *,
        organisation: bytes,
        limit: int,
        closed: Callable[[], bool],
    ) -> None:
        self._notices, self._bells, self._closed = notices, bells, closed
        self._organisation, self._limit = organisation, limit
        self._open: Counter[bytes] = Counter()
        self._strangers = 0

    async def page(self, request: web.Request) -> web.Response:
        """List some notices."""
        asked = query_of(request, NoticeQuery)
        account = account_of(request, self._organisation)
        found = await self._notices.after(account, asked.after, asked.limit)
        notices = [NoticeOut(**each.described()) for each in found.items]
        return reply(NoticeList(notices=notices, newest=found.newest, gap=found.gap))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send notices as they come."""
        account, position = account_of(request, self._organisation), _position(request)
        first = await self._notices.after(account, position, PAGE)
        with self._place(account, stranger=first.newest == 0):
            async with sse_response(
                request, ping_interval=HEARTBEAT_S, send_timeout=SEND_TIMEOUT_S
            ) as response:
                try:
                    await self._send_all(response, account, position, first)
                except CaregridError as exc:
                    # An answer is under way, so there is no other; the reader comes back.
                    log.warning("feed_ended", reason=exc.code)
        return response

    async def _send_all(
        self, response: EventSourceResponse, account: bytes, position: int | None, page: Page
    ) -> None:
        told_gap = 0
        while response.is_connected() and not self._closed():
            rung = self._bells.listen(Bell.NOTIFY)
            if page.gap is not None and page.gap > told_gap:
                told_gap = page.gap
                await response.send(json.dumps({"until": page.gap}), event="gap", retry=RETRY_MS)
            for each in page.items:
                await _send(response, each)
                position = each.position
            if not page.items:
                await heard(rung, LOOK_EVERY_S)
            page = await self._notices.after(account, position, PAGE)

    @contextmanager
    def _place(self, account: bytes, *, stranger: bool) -> Iterator[None]:
        full = self._open.total() >= self._limit
        full |= stranger and self._strangers >= max(1, self._limit // STRANGERS_SHARE)
        if full or self._open[account] >= FEEDS_PER_ACCOUNT:
            raise RateLimited("too many feeds are open; close one, or come back later")
        self._open[account] += 1
        self._strangers += stranger
        try:
            yield
        finally:
            self._strangers -= stranger
            self._open[account] -= 1
            self._open += Counter()  # forgets accounts without one


def account_of(request: web.Request, organisation: bytes) -> bytes:
    """Return whose notices a caller may read: his account's; an operator without one, the organisation's.

    Raises:
        AccessRefused: he has no account and is no operator.
    """
    caller = request[CALLER]
    if caller.account is not None:
        return caller.account
    if Scope.OPERATE in caller.scopes:
        return organisation
    raise AccessRefused("this token is bound to no account, so there are no notices for it; use one that is")


def routes(feed: Feed) -> list[Route]:
    """Return the routes."""
    return [
        Route(
            method="GET",
            path="/v1/feed",
            handler=feed.stream,
            summary="Follow the notices to one's own account",
            scope=Scope.FEED,
            query=FeedQuery,
            headers=[
                Header(
                    name=_LAST_EVENT_ID,
                    schema={"type": "string", "pattern": "^[0-9]{1,16}$"},
                    description="The `id` of the last event that was received: the feed goes on behind it.",
                )
            ],
            answers=[
                Answer(
                    status=200,
                    description="Server-sent events: `notice` with a notice as JSON and its position as id, "
                    "and `gap` with `until`, when notices up to that position are gone.",
                    media="text/event-stream",
                )
            ],
        ),
        Route(
            method="GET",
            path="/v1/notices",
            handler=feed.page,
            summary="List the notices to one's own account",
            scope=Scope.FEED,
            query=NoticeQuery,
            answers=[Answer(status=200, description="A page of notices.", model=NoticeList)],
        ),
    ]


def _position(request: web.Request) -> int | None:
    header = request.headers.get(_LAST_EVENT_ID)
    if header is None:
        return query_of(request, FeedQuery).after
    if not header.isascii() or not header.isdigit() or int(header[:17]) > _MAX_POSITION:
        raise InputInvalid(f"{_LAST_EVENT_ID} is the id of an event of this feed")
    return int(header)


async def _send(response: EventSourceResponse, posted: Posted) -> None:
    text = json.dumps(posted.described(), separators=(",", ":"))
    await response.send(text, id=str(posted.position), event="notice")
