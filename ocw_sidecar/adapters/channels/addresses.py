"""Which addresses a recipient may have the sidecar talk to: none inside the network that it stands in."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from caregrid.errors import ChannelRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Addresses that carry an IPv4 address in their last four bytes.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_PRIVATE: Final = "a channel leads inside this network; notifications.private_targets would allow it"


class PublicResolver(AbstractResolver):
    """Gives public addresses only; so a name that changes its address between two looks gains nothing."""

    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look a name up.

        Raises:
            ChannelRefused: some address of it is private.
        """
        found = await self._resolver.resolve(host, port, family)
        require_public(each["host"] for each in found)
        return found

    async def close(self) -> None:
        """Release the resolver."""
        await self._resolver.close()


def require_public(addresses: Iterable[str]) -> None:
    """Refuse unless every address is one of the public network's.

    Raises:
        ChannelRefused: one is not.
    """
    if not all(is_public(ipaddress.ip_address(address.partition("%")[0])) for address in addresses):
        raise ChannelRefused(_PRIVATE)


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address, and the one that it stands for, belongs to the public network."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is spelled as, None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def require_public_name(host: str) -> None:
    """Refuse a name or address inside this network; one that does not exist leads nowhere. Blocks.

    Raises:
        ChannelRefused: it is private.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    require_public(str(address[0]) for *_, address in found)
