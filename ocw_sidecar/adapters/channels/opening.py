"""Opens channels as the settings allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from ocw_sidecar.adapters.channels.addresses import PublicResolver
from ocw_sidecar.adapters.channels.threads import Threads
from ocw_sidecar.adapters.channels.webhook import WebhookChannel, require_usable
from ocw_sidecar.notifications.port import Channel, Channels
from ocw_sidecar.notifications.targets import TargetType
from ocw_sidecar.ports import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ocw_sidecar.notifications.targets import Target
    from ocw_sidecar.settings.notifications import NotificationSettings


class RealChannels(Channels):
    """Webhooks and apprise. The organisation's own channels may lead to private addresses."""

    def __init__(self, settings: NotificationSettings, now: Callable[[], datetime] = utc_now) -> None:
        self._settings, self._now = settings, now
        self._threads = Threads()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def open(self, target: Target, *, trusted: bool) -> Channel:
        """Return the channel to a target; see `Channels.open`."""
        private = trusted or self._settings.private_targets
        if target.type is TargetType.WEBHOOK:
            require_usable(target, private=private)
            return WebhookChannel(target, lambda: self._session(private=private), self._now)
        # A fifth of a second to import, for those alone who have such a channel.
        from ocw_sidecar.adapters.channels.apprise_channel import AppriseChannel, plugin_of  # noqa: PLC0415

        plugin = plugin_of(target, self._settings.apprise_schemes, trusted=trusted)
        return AppriseChannel(plugin, self._threads, private=private)

    async def close(self) -> None:
        """Release connections; threads that still run end by themselves."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, *, private: bool) -> aiohttp.ClientSession:
        if private not in self._sessions:
            # A lane has one request at a time, so the lanes bound the connections.
            connector = aiohttp.TCPConnector(limit=0, resolver=None if private else PublicResolver())
            self._sessions[private] = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._sessions[private]
