"""Webhooks: signed JSON, posted to an address of the recipient's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp

from caregrid.errors import ChannelRefused, ChannelUnreachable
from caregrid.webhooks import signed_headers
from ocw_sidecar.adapters.channels.addresses import is_public, literal
from ocw_sidecar.notifications.port import Channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ocw_sidecar.notifications.messages import Message
    from ocw_sidecar.notifications.targets import Target

#: A receiver only has to note the message; Standard Webhooks asks senders for 15 to 30 seconds at most.
WEBHOOK_TIMEOUT_S: Final = 10.0
#: Within that, a machine that is up accepts a connection.
CONNECT_TIMEOUT_S: Final = 5.0

#: Come again later: timeout, too early, too many.
_PASSING: Final = frozenset({408, 425, 429})


class WebhookChannel(Channel):
    """One webhook; the session outlives it."""

    def __init__(
        self, target: Target, session: Callable[[], aiohttp.ClientSession], now: Callable[[], datetime]
    ) -> None:
        self._target, self._session, self._now = target, session, now

    async def send(self, message: Message) -> None:
        """Post the message's details; see `Channel.send`."""
        now = self._now()
        body = json.dumps(message.details(now), separators=(",", ":")).encode()
        signed = signed_headers(
            self._target.secrets, message_id=message.id, timestamp=int(now.timestamp()), body=body
        )
        status = await self._post(body, {"Content-Type": "application/json", **signed})
        if status in _PASSING or status >= 500:  # noqa: PLR2004 - HTTP
            raise ChannelUnreachable
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP
            raise ChannelRefused

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        timeout = aiohttp.ClientTimeout(total=WEBHOOK_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
        try:
            async with self._session().post(
                self._target.url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                # What the receiver says beyond its status is nobody's business, and may never end.
                response.close()
                return response.status
        except (TimeoutError, aiohttp.ClientError, OSError):
            # Not `from`: the cause's text has the address.
            raise ChannelUnreachable from None


def require_usable(target: Target, *, private: bool) -> None:
    """Refuse a webhook's address that must not be used, as far as its spelling tells.

    Raises:
        ChannelRefused: plain HTTP beyond this machine, credentials in it, or a private address.
    """
    try:
        parts = urlsplit(target.url)
        host, scheme, _port = parts.hostname or "", parts.scheme, parts.port
    except ValueError:
        host = scheme = ""
    address = literal(host)
    loopback = host == "localhost" or (address is not None and address.is_loopback)
    if not host or (scheme != "https" and not (scheme == "http" and loopback and private)):
        raise ChannelRefused("a webhook's url begins with https:// and a host")
    if "@" in parts.netloc:
        raise ChannelRefused("a webhook's url holds no user or password; what is sent is signed")
    if not private and (loopback or (address is not None and not is_public(address))):
        raise ChannelRefused("a webhook leads to a public address")
