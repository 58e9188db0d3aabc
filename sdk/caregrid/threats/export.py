"""Blocked networks as files that firewalls read; the networks come disjoint, as from `Blocklist.networks`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import IpNet

#: nft reads long sets in one line badly; so many networks stand in one.
_PER_LINE: Final = 8
_SETS: Final = {4: ("blocked4", "ipv4_addr"), 6: ("blocked6", "ipv6_addr")}


class Export(StrEnum):
    """What a firewall reads."""

    NFTABLES = "nftables"
    PLAIN = "plain"

    def render(self, networks: Sequence[IpNet]) -> str:
        """Return the whole file."""
        return nftables(networks) if self is Export.NFTABLES else plain_list(networks)


def plain_list(networks: Sequence[IpNet]) -> str:
    """Return a network a line in CIDR notation."""
    return "".join(f"{net}\n" for net in networks)


def nftables(networks: Sequence[IpNet], *, table: str = "caregrid") -> str:
    """Return a script for `nft -f` that replaces a table's sets and its rules in one transaction.

    The table `inet caregrid` drops what comes from a blocked network, in the hook `prerouting` before
    connections are tracked; other tables stay as they are (nft(8), "Sets" and "Chains").

    Raises:
        InputInvalid: the table's name is no identifier.
    """
    if not table.isidentifier() or not table.isascii():
        raise InputInvalid("a table's name has letters, digits and _ only")
    # Declaring the table first makes deleting it safe where it is not there yet.
    head = f"table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n"
    sets = "".join(_set(networks, version) for version in _SETS)
    return f"{head}{sets}{_CHAIN}}}\n"


_CHAIN: Final = """\
	chain blocked {
		type filter hook prerouting priority raw; policy accept;
		ip saddr @blocked4 counter drop
		ip6 saddr @blocked6 counter drop
	}
"""


def _set(networks: Sequence[IpNet], version: int) -> str:
    name, kind = _SETS[version]
    elements = [str(net) for net in networks if net.version == version]
    lines = [", ".join(elements[at : at + _PER_LINE]) for at in range(0, len(elements), _PER_LINE)]
    listed = ",\n\t\t\t".join(lines)
    body = f"\t\telements = {{\n\t\t\t{listed}\n\t\t}}\n" if elements else ""
    return f"\tset {name} {{\n\t\ttype {kind}\n\t\tflags interval\n{body}\t}}\n"
