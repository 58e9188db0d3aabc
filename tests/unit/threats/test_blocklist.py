"""Look-ups of blocked addresses."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.chain import BlockReason, IpBlock, IpNet
from caregrid.errors import InputInvalid
from caregrid.threats import Blocklist, parse_address, parse_network

OURS, THEIRS = b"\x01" * 32, b"\x02" * 32


def entry(net: str, *, organisation: bytes = OURS, expires_at: int = 100) -> IpBlock:
    """Return an entry that lasts until block 100."""
    return IpBlock(
        net=ip_network(net), organisation=organisation, reason=BlockReason.SCANNING, expires_at=expires_at
    )


def blocklist(*entries: IpBlock, **options: object) -> Blocklist:
    """Return a list with these entries."""
    made = Blocklist(**options)  # type: ignore[arg-type]
    for each in entries:
        made.add(each)
    return made


def test_the_narrowest_live_entry_answers() -> None:
    """Wider networks answer where narrower ones have ended."""
    wide, narrow = entry("10.0.0.0/8"), entry("10.1.2.0/24", expires_at=50)
    found = blocklist(wide, narrow)
    assert narrow == found.covering("10.1.2.3", at_block=49)
    assert wide == found.covering("10.1.2.3", at_block=50)
    assert found.covering("10.1.2.3", at_block=100) is None
    assert found.covering("11.1.2.3", at_block=1) is None
    assert not found.is_blocked("::a01:203", at_block=1)


def test_each_organisation_has_its_own_entry() -> None:
    """One withdraws, and the other's still holds; the same one's later entry replaces its earlier."""
    found = blocklist(entry("192.0.2.7/32"), entry("192.0.2.7/32", organisation=THEIRS, expires_at=60))
    found.add(entry("192.0.2.7/32", expires_at=70))
    assert 2 == len(found) == len(list(found))
    found.discard(ip_network("192.0.2.7/32"), OURS)
    found.discard(ip_network("192.0.2.0/24"), OURS)
    assert 1 == len(found)
    assert found.is_blocked("192.0.2.7", at_block=59)
    assert not found.is_blocked("192.0.2.7", at_block=60)
    found.discard(ip_network("192.0.2.7/32"), THEIRS)
    assert 0 == len(found)
    assert not found.is_blocked("192.0.2.7", at_block=1)


def test_a_mapped_address_is_the_ipv4_one() -> None:
    """A block cannot be got round by writing the address as IPv6."""
    found = blocklist(entry("192.0.2.0/24"))
    assert found.is_blocked("::ffff:192.0.2.9", at_block=1)
    assert ip_network("192.0.2.0/24") == parse_network("::ffff:192.0.2.0/120")
    assert ip_address("192.0.2.9") == parse_address("::ffff:c000:209")


def test_everything_may_be_blocked_but_what_is_allowed() -> None:
    """A /0 covers all; networks that are allowed never count, in look-ups and in files."""
    found = blocklist(
        entry("0.0.0.0/0"), entry("2001:db8::/32"), allowed=[ip_network("10.0.0.0/8"), ip_network("::/1")]
    )
    assert found.is_blocked("203.0.113.1", at_block=1)
    assert not found.is_blocked("10.255.0.1", at_block=1)
    networks = found.networks(at_block=1)
    assert all(not net.overlaps(ip_network("10.0.0.0/8")) for net in networks if net.version == 4)
    assert 8 == len(networks)
    assert 2**32 - 2**24 == sum(net.num_addresses for net in networks)


def test_only_trusted_organisations_count() -> None:
    """Others' entries are passed over."""
    found = blocklist(entry("192.0.2.0/24"), entry("198.51.100.0/24", organisation=THEIRS), trusted=[THEIRS])
    assert [ip_network("198.51.100.0/24")] == found.networks(at_block=1)


@pytest.mark.parametrize(
    "text", ["", "10.0.0", "10.0.0.0/8", "fe80::1%eth0", "1" * 5000, "localhost", "10.0.0.01"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """The error says what an address looks like, and not what was given."""
    with pytest.raises(InputInvalid, match="no IP address"):
        Blocklist().is_blocked(text, at_block=1)


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "fe80::%1/64", "x/8", "10.0.0.0/-1"])
def test_what_is_no_network_is_refused(text: str) -> None:
    """Host bits have an advice of their own."""
    with pytest.raises(InputInvalid, match="clear them" if text == "10.0.0.1/8" else "no IP network"):
        parse_network(text)


_NETS = st.builds(
    lambda number, length: ip_network((number >> (32 - length) << (32 - length), length)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@given(
    st.lists(st.tuples(_NETS, st.integers(1, 9)), max_size=12), st.integers(0, 2**32 - 1), st.integers(0, 9)
)
def test_look_ups_agree_with_a_plain_search(
    entries: list[tuple[IpNet, int]], number: int, block: int
) -> None:
    """So do the networks of a file."""
    found = blocklist(*(entry(str(net), expires_at=end) for net, end in entries))
    address = ip_address(number)
    # An organisation has one entry a network: the last one counts.
    last = dict(entries)
    expected = any(address in net and block < end for net, end in last.items())
    assert expected == found.is_blocked(address, at_block=block)
    assert expected == any(address in net for net in found.networks(at_block=block))
