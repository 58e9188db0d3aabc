"""Which addresses are blocked, answered from memory.

A look-up tries each prefix length that occurs once, the longest first, so it costs the same however many
networks are blocked.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)
from socket import AF_INET, inet_pton
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import InputInvalid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from caregrid.chain.port import IpBlock, IpNet

IpAddress = IPv4Address | IPv6Address

_BITS: Final = {4: 32, 6: 128}
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
#: The longest text of an address or network that is looked at.
_MAX_TEXT: Final = 64


def parse_address(text: str | IpAddress) -> IpAddress:
    """Return an address; an IPv4 one in IPv6's clothes (RFC 4291, 2.5.5.2) as the IPv4 one that it is.

    Raises:
        InputInvalid: it is no address, or an IPv6 one with a zone.
    """
    try:
        address = ip_address(text) if not isinstance(text, str) or len(text) <= _MAX_TEXT else None
    except ValueError:
        address = None
    if address is None or getattr(address, "scope_id", None) is not None:
        raise InputInvalid("this is no IP address; write one like 192.0.2.7 or 2001:db8::7, without a zone")
    return getattr(address, "ipv4_mapped", None) or address


def parse_network(text: str) -> IpNet:
    """Return a network in CIDR notation; a single address is a network of its own, a mapped one IPv4.

    Raises:
        InputInvalid: it is no network, or has bits set behind its prefix.
    """
    try:
        net = ip_network(text) if len(text) <= _MAX_TEXT else None
    except ValueError as exc:
        if "host bits" in str(exc):
            raise InputInvalid("the network has bits set behind its prefix; clear them") from None
        net = None
    if net is None or getattr(net.network_address, "scope_id", None) is not None:
        raise InputInvalid("this is no IP network; write one like 192.0.2.0/24 or 2001:db8::/32")
    if isinstance(net, IPv6Network) and net.subnet_of(_MAPPED):
        return IPv4Network((net.network_address.packed[12:], net.prefixlen - _MAPPED.prefixlen))
    return net


class Blocklist:
    """The blocked networks, of all organisations or of those that are trusted.

    Several organisations may block the same network, each until a block of its own.
    Memory: about 1 kB an entry.
    """

    def __init__(self, *, trusted: Collection[bytes] | None = None, allowed: Sequence[IpNet] = ()) -> None:
        """Begin empty.

        Args:
            trusted: entries of other organisations are passed over; None trusts all.
            allowed: networks that are never blocked, whoever says so: one's own, say.
        """
        self._trusted = None if trusted is None else frozenset(trusted)
        self._allowed = tuple((net, _place(net)[2]) for net in allowed)
        # version → prefix length, the longest first → network's leading bits → organisation → entry
        self._tables: dict[int, dict[int, dict[int, dict[bytes, IpBlock]]]] = {4: {}, 6: {}}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[IpBlock]:
        for tables in self._tables.values():
            for table in tables.values():
                for entries in table.values():
                    yield from entries.values()

    def add(self, entry: IpBlock) -> None:
        """Note an entry; an organisation's earlier one of the same network is replaced."""
        if self._trusted is not None and entry.organisation not in self._trusted:
            return
        version, length, bits = _place(entry.net)
        tables = self._tables[version]
        if length not in tables:
            tables = self._tables[version] = dict(sorted([*tables.items(), (length, {})], reverse=True))
        entries = tables[length].setdefault(bits, {})
        self._size += entry.organisation not in entries
        entries[entry.organisation] = entry

    def discard(self, net: IpNet, organisation: bytes) -> None:
        """Forget an organisation's entry of exactly this network, if there is one."""
        version, length, bits = _place(net)
        table = self._tables[version].get(length, {})
        if table.get(bits, {}).pop(organisation, None) is None:
            return
        self._size -= 1
        if not table[bits]:
            del table[bits]
        if not table:
            del self._tables[version][length]

    def covering(self, address: str | IpAddress, *, at_block: int) -> IpBlock | None:
        """Return a live entry that covers an address, of the narrowest network.

        Raises:
            InputInvalid: it is no address.
        """
        version, number = _number_of(address)
        width = _BITS[version]
        for net, bits in self._allowed:
            if net.version == version and number >> (width - net.prefixlen) == bits:
                return None
        for length, table in self._tables[version].items():
            entries = table.get(number >> (width - length))
            if entries is not None:
                for entry in entries.values():
                    if at_block < entry.expires_at:
                        return entry
        return None

    def is_blocked(self, address: str | IpAddress, *, at_block: int) -> bool:
        """Tell whether an address is blocked in a block; raises as `covering`."""
        return self.covering(address, at_block=at_block) is not None

    def networks(self, *, at_block: int) -> list[IpNet]:
        """Return what is blocked in a block as disjoint networks, by version and address."""
        live = {entry.net for entry in self if entry.is_live(at_block)}
        return [net for version in _BITS for net in self._disjoint(live, version)]

    def _disjoint(self, live: Iterable[Any], version: int) -> list[IpNet]:
        found: list[IpNet] = list(collapse_addresses(net for net in live if net.version == version))
        for allowed, _ in self._allowed:
            if allowed.version == version:
                found = [part for net in found for part in _without(net, allowed)]
        return sorted(found)


def _number_of(address: str | IpAddress) -> tuple[int, int]:
    """Return an address's version and number."""
    if isinstance(address, str):
        try:
            # The usual form, ten times as fast as `ipaddress`; strict, too.
            return 4, int.from_bytes(inet_pton(AF_INET, address))
        except (OSError, ValueError):
            pass
    parsed = parse_address(address)
    return parsed.version, int(parsed)


def _without(net: Any, allowed: Any) -> Iterable[IpNet]:
    if not net.overlaps(allowed):
        return [net]
    return [] if net.subnet_of(allowed) else net.address_exclude(allowed)


def _place(net: IpNet) -> tuple[int, int, int]:
    return net.version, net.prefixlen, int(net.network_address) >> (_BITS[net.version] - net.prefixlen)
