"""Mail, chat, SMS and so on, by apprise. A third party carries the message, so it gets the outline alone."""

from __future__ import annotations

import logging
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import apprise
from apprise.manager_plugins import NotificationManager

from caregrid.errors import ChannelRefused, ChannelUnreachable
from ocw_sidecar.adapters.channels.addresses import require_public_name
from ocw_sidecar.notifications.port import Channel

if TYPE_CHECKING:
    from ocw_sidecar.adapters.channels.threads import Threads
    from ocw_sidecar.notifications.messages import Message
    from ocw_sidecar.notifications.targets import Target

#: Connecting, TLS, a login and a message take a mail server some round trips.
APPRISE_TIMEOUT_S: Final = 15.0
#: Single reads and connects within that end sooner, so that a thread whose time is up soon ends.
SOCKET_TIMEOUT_S: Final = 8.0

#: What a recipient may add to a URL. Others skip checks of certificates, follow redirects or read key files.
_PARAMETERS: Final = frozenset({"cc", "bcc", "from", "name", "pass", "priority", "smtp", "to", "user"})

_ASSET: Final = apprise.AppriseAsset(
    app_id="CareGrid", app_desc="CareGrid", http_redirects=False, secure_logging=True
)

# Apprise logs addresses and, in part, tokens; what failed is told by our own codes.
logging.getLogger("apprise").disabled = True


class AppriseChannel(Channel):
    """One service as apprise reaches it."""

    def __init__(self, plugin: Any, threads: Threads, *, private: bool) -> None:
        self._plugin, self._threads, self._private = plugin, threads, private

    async def send(self, message: Message) -> None:
        """Hand the outline over; see `Channel.send`."""
        if not await self._threads.run(lambda: self._notify(message), APPRISE_TIMEOUT_S):
            raise ChannelUnreachable

    def _notify(self, message: Message) -> bool:
        if not self._private:
            for host in _hosts(self._plugin):
                require_public_name(host)
        outline = message.outline()
        return bool(self._plugin.notify(title=outline.title, body=outline.body))


def plugin_of(target: Target, schemes: frozenset[str], *, trusted: bool) -> Any:
    """Return apprise's plugin for a target; the first one loads apprise's modules, which takes a second.

    Raises:
        ChannelRefused: the scheme is not among those allowed, a parameter is not, or apprise cannot read it.
    """
    if target.scheme not in schemes:
        raise ChannelRefused(f"an apprise url begins with one of {', '.join(sorted(schemes))}")
    given = {name.lower() for name, _ in parse_qsl(urlsplit(target.url).query, keep_blank_values=True)}
    if not trusted and not given <= _PARAMETERS:
        raise ChannelRefused(f"an apprise url has no other parameters than {', '.join(sorted(_PARAMETERS))}")
    _load_plugins()
    plugin = apprise.Apprise.instantiate(target.url, asset=_ASSET, suppress_exceptions=True)
    if plugin is None:
        raise ChannelRefused("apprise cannot read this url; see its documentation of the service")
    plugin.socket_connect_timeout = plugin.socket_read_timeout = SOCKET_TIMEOUT_S
    return plugin


@cache
def _load_plugins() -> None:
    with warnings.catch_warnings():
        # Modules of services that we do not use still import what Python has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        NotificationManager().load_modules()  # type: ignore[no-untyped-call] # the library's own


def _hosts(plugin: Any) -> set[str]:
    named = {getattr(plugin, "smtp_host", None)}
    if any("{host}" in template for template in plugin.templates):
        named.add(getattr(plugin, "host", None))
    return {host for host in named if isinstance(host, str) and host}
