"""Blocked networks and attack signatures on every chain adapter."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from caregrid.chain import AttackSignature, BlockReason, Call, IpBlock, Severity, SignatureFormat, calls
from caregrid.chain.limits import MAX_BATCH, MAX_BLOCK_DURATION, MAX_CLEANUP
from caregrid.chain.walking import paged
from tests.contract.chain_world import ONE_LOOP, SOON, covers, new_id, threats

if TYPE_CHECKING:
    from caregrid.chain import IpNet
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP

#: No block here may end while its test runs.
LONG = 5_000
#: How far a block may lie ahead of the height that was read; for limits that count from the block.
SLACK = 100
#: Idle time removes `MAX_CLEANUP` a block: so much takes four blocks, time enough to come before the last.
BACKLOG = 4 * MAX_CLEANUP


def new_net(*, v4: bool = False) -> IpNet:
    """Return a network that nobody has blocked."""
    return ip_network((new_id(4), 32)) if v4 else ip_network((new_id(16), 128))


@covers("Threats", made="block_ip unblock_ip", reported="IpBlocked IpUnblocked", refused="BlockUnknown")
@pytest.mark.parametrize("v4", [True, False])
async def test_a_network_is_blocked_and_unblocked(world: World, *, v4: bool) -> None:
    """Each organisation has its own entry; blocking again replaces it; only its own is withdrawn."""
    hospital, clinic, net = world.account("hospital"), world.account("clinic"), new_net(v4=v4)
    expires_at = await world.height() + LONG
    as_event = {f"V{net.version}": {"address": net.network_address.packed, "prefix": net.prefixlen}}
    first = calls.block_ip(hospital, net, reason="BruteForce", expires_at=expires_at)
    renewed = calls.block_ip(hospital, net, reason="Policy", expires_at=expires_at - 1)
    events, _ = await world.together(
        ("operator", [first, renewed]), ("clinic", [blocked_by(clinic, net, expires_at)])
    )
    common = {"net": as_event, "organisation": hospital}
    assert [
        threats("IpBlocked", **common, reason="BruteForce", expires_at=expires_at),
        threats("IpBlocked", **common, reason="Policy", expires_at=expires_at - 1),
    ] == events
    own = IpBlock(net=net, organisation=hospital, reason=BlockReason.POLICY, expires_at=expires_at - 1)
    assert own == await world.chain.ip_block(net, hospital)
    assert {hospital, clinic} == {block.organisation for block in await world.chain.ip_blocks(net)}

    [event] = await world.submit("operator", calls.unblock_ip(hospital, net))
    assert threats("IpUnblocked", **common, expires_at=expires_at - 1) == event
    assert await world.chain.ip_block(net, hospital) is None
    assert [clinic] == [block.organisation for block in await world.chain.ip_blocks(net)]
    assert ["Threats.BlockUnknown"] == await world.refused(("operator", calls.unblock_ip(hospital, net)))


def blocked_by(organisation: bytes, net: IpNet, expires_at: int) -> Call:
    """Return a block for scanning."""
    return calls.block_ip(organisation, net, reason="Scanning", expires_at=expires_at)


@covers("Threats", refused="NetworkInvalid ExpiryInPast ExpiryTooFar BlockUnknown LimitInvalid")
async def test_refusals_about_networks(world: World) -> None:
    """A network has one spelling, a block an end, and only an organisation's people act for it."""
    hospital, net, head = world.account("hospital"), new_net(), await world.height()
    good = blocked_by(hospital, net, head + LONG).params

    def odd(address: str, prefix: int) -> Call:
        spelled = {"V4": {"address": address, "prefix": prefix}}
        return Call(pallet="Threats", function="block_ip", params={**good, "net": spelled})

    def cleanup(limit: int) -> Call:
        return Call(pallet="Threats", function="cleanup_expired_blocks", params={"limit": limit})

    assert [
        "Threats.NetworkInvalid",
        "Threats.NetworkInvalid",
        "Threats.ExpiryInPast",
        "Threats.ExpiryTooFar",
        "Threats.BlockUnknown",
        "Threats.LimitInvalid",
        "Threats.LimitInvalid",
        "System.BadOrigin",
        "System.BadOrigin",
    ] == await world.refused(
        ("operator", odd("0x0a000001", 8)),
        ("operator", odd("0x0a000000", 33)),
        ("operator", blocked_by(hospital, net, head)),
        ("operator", blocked_by(hospital, net, head + MAX_BLOCK_DURATION + SLACK)),
        ("operator", calls.unblock_ip(hospital, net)),
        ("operator", cleanup(0)),
        ("operator", cleanup(129)),
        ("stranger", blocked_by(hospital, net, head + LONG)),
        ("stranger", calls.unblock_ip(new_id(), net)),
    )
    assert [] == list(await world.chain.ip_blocks(net))


@covers(
    "Threats",
    made="register_signature retire_signature",
    reported="SignatureRegistered SignatureRetired",
    refused="SignatureExists SignatureUnknown SignatureForeign PatternEmpty",
)
async def test_a_signature_stands_until_it_is_retired(world: World) -> None:
    """Any text is read back byte by byte, even one that looks like hex; ids are given once."""
    hospital, clinic, ids = world.account("hospital"), world.account("clinic"), [new_id(16) for _ in range(3)]
    patterns = [b"0x6162", "GET /\u00fc".encode(), bytes(range(256)) * 8]
    registered = [
        calls.register_signature(hospital, each, format="Regex", severity="High", pattern=pattern)
        for each, pattern in zip(ids, patterns, strict=True)
    ]
    receipts = await world.outcomes("operator", *registered)
    events = [
        event for receipt in receipts if not isinstance(receipt, Exception) for event in world.own(receipt)
    ]
    assert [
        threats("SignatureRegistered", signature=each, organisation=hospital, format="Regex", severity="High")
        for each in ids
    ] == events
    for each, pattern, receipt in zip(ids, patterns, receipts, strict=True):
        assert not isinstance(receipt, Exception)
        assert await world.chain.signature(each) == AttackSignature(
            signature_id=each,
            organisation=hospital,
            format=SignatureFormat.REGEX,
            severity=Severity.HIGH,
            pattern=pattern,
            registered_at=receipt.block.number,
        )
    empty = Call(
        pallet="Threats",
        function="register_signature",
        params={**registered[0].params, "id": "0x" + new_id(16).hex(), "pattern": "0x"},
    )
    assert [
        "Threats.SignatureExists",
        "Threats.PatternEmpty",
        "Threats.SignatureUnknown",
        "Threats.SignatureForeign",
        "System.BadOrigin",
    ] == await world.refused(
        ("operator", registered[0]),
        ("operator", empty),
        ("operator", calls.retire_signature(hospital, new_id(16))),
        ("clinic", calls.retire_signature(clinic, ids[0])),
        ("stranger", calls.retire_signature(hospital, ids[0])),
    )
    [event] = await world.submit("operator", calls.retire_signature(hospital, ids[0]))
    assert threats("SignatureRetired", signature=ids[0], organisation=hospital) == event
    assert await world.chain.signature(ids[0]) is None


@covers(
    "Threats",
    made="block_ip cleanup_expired_blocks",
    reported="IpBlocked IpBlockExpired",
    refused="BlockUnknown",
)
async def test_expired_networks_are_cleaned_up(world: World) -> None:
    """By anybody, the earliest first, as many as he says; the rest by idle time."""
    hospital, salt = world.account("hospital"), new_id(4).hex(":", 2)
    nets: list[IpNet] = [ip_network(f"2001:db8:{salt}:{number:x}::/80") for number in range(BACKLOG)]
    end = await world.height() + 2 * SOON
    blocks = [calls.block_ip(hospital, net, reason="Scanning", expires_at=end) for net in nets]
    chunks = [blocks[start : start + MAX_BATCH] for start in range(0, len(blocks), MAX_BATCH)]
    await world.submit("operator", *(calls.batch_all(chunk) for chunk in chunks))
    assert await world.height() < end

    await world.reach(end)
    removed = await world.submit("stranger", calls.cleanup_expired_blocks(3))
    assert ["IpBlockExpired"] * 3 == [event.name for event in removed]
    everything = [each for each in await world.events(end, end + 4) if each[1].name == "IpBlockExpired"]
    assert len(nets) == len(everything)
    assert all(event in [each for _, each in everything] for event in removed)
    net = nets[0]
    assert threats(
        "IpBlockExpired",
        net={"V6": {"address": net.network_address.packed, "prefix": 80}},
        organisation=hospital,
        expires_at=end,
    ) in [event for _, event in everything]
    assert await world.chain.ip_block(net, hospital) is None
    assert ["Threats.BlockUnknown"] == await world.refused(("operator", calls.unblock_ip(hospital, net)))
    assert [] == await world.submit("stranger", calls.cleanup_expired_blocks(1))


async def test_all_blocks_and_signatures_come_in_pages(world: World) -> None:
    """However small the pages, each entry is in just one of them."""
    hospital, expires_at = world.account("hospital"), await world.height() + LONG
    nets, ids = [new_net(), new_net(), new_net(v4=True)], [new_id(16) for _ in range(3)]
    await world.together(
        ("operator", [blocked_by(hospital, net, expires_at) for net in nets]),
        ("clinic", [blocked_by(world.account("clinic"), nets[0], expires_at)]),
    )
    await world.outcomes(
        "operator",
        *(
            calls.register_signature(hospital, each, format="Sigma", severity="Low", pattern=b"x")
            for each in ids
        ),
    )
    blocks = [each async for each in paged(partial(world.chain.all_ip_blocks, limit=2))]
    places = [(block.net, block.organisation) for block in blocks]
    assert len(set(places)) == len(places)
    assert {(net, hospital) for net in nets} | {(nets[0], world.account("clinic"))} <= set(places)
    assert expires_at == next(block for block in blocks if block.net == nets[2]).expires_at

    signatures = [each async for each in paged(partial(world.chain.all_signatures, limit=2))]
    assert len({each.signature_id for each in signatures}) == len(signatures)
    assert set(ids) <= {each.signature_id for each in signatures}
    assert await world.chain.signature(ids[0]) in signatures
