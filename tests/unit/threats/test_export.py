"""Files for firewalls."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from caregrid.errors import InputInvalid
from caregrid.threats import Export, nftables, plain_list

NETS = [*(ip_network(f"192.0.2.{number}/32") for number in range(0, 40, 2)), ip_network("2001:db8::/48")]


def test_a_plain_list_has_a_network_a_line() -> None:
    """In CIDR notation, with a line's end behind the last one."""
    assert "192.0.2.0/32\n" == plain_list(NETS[:1])
    assert [str(net) for net in NETS] == Export.PLAIN.render(NETS).splitlines()
    assert "" == plain_list([])


def test_nftables_has_a_set_a_version() -> None:
    """The script replaces the table as a whole, also with one that is empty."""
    text = nftables(NETS)
    assert text.startswith("table inet caregrid\ndelete table inet caregrid\ntable inet caregrid {\n")
    assert all(str(net) in text for net in NETS)
    assert 2 == text.count("elements = {")
    assert 0 == nftables([]).count("elements")
    assert text.count("{") == text.count("}")
    with pytest.raises(InputInvalid):
        nftables(NETS, table="a; flush ruleset")
