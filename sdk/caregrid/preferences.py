"""By which channels an account is told, beside its feed: mail, chat, SMS, signed webhooks.

Where a channel leads and what signs it go in and never come out; what comes out says how it fares.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caregrid.errors import ProtocolViolation
from caregrid.transport import raise_for_fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.transport import Transport

_PATH = "/v1/preferences"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelChoice:
    """One way to be told, as its recipient wants it."""

    type: str  #: `webhook`, or `apprise` for everything else
    url: str = field(repr=False)  #: of a webhook https://..., else one of apprise's URLs; holds tokens
    secrets: Sequence[str] = field(
        default=(), repr=False
    )  #: of a webhook; see `caregrid.webhooks.new_secret`
    kinds: Sequence[str] | None = None  #: as in docs/reference/notifications.md; None: all
    digest_at: str | None = None  #: once a day at this time in UTC, like 07:30; None: at once

    def described(self) -> dict[str, Any]:
        """Return it as the API takes it."""
        kinds = None if self.kinds is None else list(self.kinds)
        return {
            "type": self.type,
            "url": self.url,
            "secrets": list(self.secrets),
            "kinds": kinds,
            "digest_at": self.digest_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelStatus:
    """One way to be told, and how it fares."""

    type: str
    scheme: str  #: what stands before the colon of its URL
    host: str | None  #: of a webhook
    kinds: Sequence[str]
    digest_at: str | None
    failures: int  #: in a row
    waiting: int  #: notices that are still to go
    given_up: int  #: notices that could not be delivered
    code: str | None  #: what the last failure was


class PreferenceKeeper:
    """What a client of a sidecar can do with channels."""

    transport: Transport

    async def preferences(self) -> list[ChannelStatus]:
        """Return the channels that this account is told by."""
        return _channels(await self.transport.json("GET", _PATH))

    async def set_preferences(self, channels: Sequence[ChannelChoice]) -> list[ChannelStatus]:
        """Make these all the channels, and return how they fare; with none, the feed alone is left.

        What waits for a channel goes the new way, by its place in the list.

        Raises:
            ChannelRefused: one may not be used; the message says why.
            AccessRefused: the sidecar does not know this account yet.
        """
        if not channels:
            async with self.transport.request("DELETE", _PATH) as response:
                await raise_for_fault(response)
            return []
        body = {"channels": [each.described() for each in channels]}
        return _channels(await self.transport.json("PUT", _PATH, body=body))

    async def replay_deliveries(self) -> int:
        """Have this account's notices that could not be delivered sent again; return how many."""
        answer = await self.transport.json("POST", f"{_PATH}/replay")
        return int(answer["replayed"])


def _channels(answer: Mapping[str, Any]) -> list[ChannelStatus]:
    try:
        return [ChannelStatus(**each) for each in answer["channels"]]
    except (KeyError, TypeError):
        raise ProtocolViolation("the sidecar's preferences are not in its form") from None
