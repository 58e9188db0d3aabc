"""The notices to one's own account, as the custodian's sidecar sends them.

A feed goes on for ever: when the connection breaks it is made anew, behind the last notice that was given. To
go on after a restart, keep the position of the last notice that was dealt with, and pass it as `after`.
"""

from __future__ import annotations

import asyncio
import json
import random
from abc import ABC, abstractmethod
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import ProtocolViolation, Recoverable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    import aiohttp

    from caregrid.errors import CaregridError

#: A sidecar that restarts is back within seconds.
FIRST_WAIT_S: Final = 1.0
#: One that is away for longer is not asked more often than this.
LONGEST_WAIT_S: Final = 30.0
#: The part of a wait that is left to chance, so that many readers do not come back at once.
JITTER: Final = 0.3

PAGE: Final = 100

_HTTP_ERROR: Final = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedNotice:
    """Something that this account is told."""

    position: int  #: 1 for the account's first, then one more each
    id: str  #: the same in every channel
    kind: str  #: as in docs/reference/notifications.md
    at: datetime
    facts: Mapping[str, str | int]  #: ids and accounts in hex, block numbers, codes


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedGap:
    """Notices were dropped before this reader came for them; look at the chain for what he missed."""

    until: int  #: the highest position that is gone


FeedEvent = FeedNotice | FeedGap


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticePage:
    """Some notices, the oldest first."""

    items: Sequence[FeedNotice]
    newest: int  #: the position of the last one so far
    gap: int | None  #: some up to this position are gone


class FeedReader(ABC):
    """What a client of a sidecar can do with notices."""

    async def notices(self, *, after: int | None = None, limit: int = PAGE) -> NoticePage:
        """Return some of this account's notices behind a position; None means all that are kept."""
        given = {"limit": limit} if after is None else {"limit": limit, "after": after}
        answer = await self._json("GET", "/v1/notices", params=given)
        try:
            items = [_notice(each) for each in answer["notices"]]
            return NoticePage(items=items, newest=answer["newest"], gap=answer["gap"])
        except (KeyError, TypeError, ValueError):
            raise ProtocolViolation("the sidecar's notices are not in its form") from None

    async def feed(self, *, after: int | None = None) -> AsyncGenerator[FeedEvent]:
        """Yield this account's notices behind a position, for ever; close it with `aclosing`.

        Raises:
            AccessRefused: this account or token may not.
            ProtocolViolation: this is no feed of CareGrid's.
        """
        wait_s = FIRST_WAIT_S
        while True:
            try:
                async with aclosing(self._connect(after)) as events:
                    async for event in events:
                        wait_s = FIRST_WAIT_S
                        if isinstance(event, FeedNotice):
                            after = event.position
                        yield event
            except Recoverable:
                pass  # the sidecar is away, or busy; that is what the wait is for
            await asyncio.sleep(wait_s * (1 - JITTER * random.random()))  # noqa: S311 - spreads load
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _connect(self, after: int | None) -> AsyncGenerator[FeedEvent]:
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        async with self._request("GET", "/v1/feed", headers=headers) as response:
            if response.status >= _HTTP_ERROR:
                raise await self._refusal(response)
            if response.content_type != "text/event-stream":
                raise ProtocolViolation("the sidecar answers with something else than a feed")
            async with aclosing(_events(response)) as events:
                async for event in events:
                    yield event

    @abstractmethod
    def _request(
        self, method: str, path: str, **options: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]: ...

    @abstractmethod
    async def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]: ...

    @abstractmethod
    async def _refusal(self, response: aiohttp.ClientResponse) -> CaregridError: ...


async def _events(response: aiohttp.ClientResponse) -> AsyncGenerator[FeedEvent]:
    fields: dict[str, str] = {}
    try:
        async for raw in response.content:
            line = raw.decode().rstrip("\r\n")
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
                continue
            if "data" in fields:
                yield _event(fields)
            fields = {}
    except (KeyError, TypeError, ValueError):  # broken JSON or UTF-8, or a line without end, are such too
        raise ProtocolViolation("the sidecar's feed is not in its form") from None


def _event(fields: Mapping[str, str]) -> FeedEvent:
    value = json.loads(fields["data"])
    return FeedGap(until=value["until"]) if fields.get("event") == "gap" else _notice(value)


def _notice(value: Mapping[str, Any]) -> FeedNotice:
    return FeedNotice(
        position=int(value["position"]),
        id=str(value["id"]),
        kind=str(value["kind"]),
        at=datetime.fromisoformat(value["at"]),
        facts=dict(value["facts"]),
    )
