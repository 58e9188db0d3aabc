"""What the SDK knows of blocked networks and signatures, on every chain adapter."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from caregrid.chain import BlockReason, calls
from caregrid.chain.refusals.threats import BlockUnknown
from caregrid.errors import ChainUnreachable, InputInvalid
from caregrid.testing import MemoryChain
from caregrid.threats import ThreatFeed, Threats, client, feed
from tests.contract.chain_world import ONE_LOOP, new_id

if TYPE_CHECKING:
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP


def of(world: World, organisation: str = "hospital", signer: str = "operator") -> Threats:
    """Return what somebody sees who acts for an organisation."""
    return Threats(world.chain, world.submitter(signer), world.account(organisation))


async def test_a_block_is_seen_by_others_and_ends(world: World) -> None:
    """Another organisation sees it, by an address or its IPv6 form; and that it was withdrawn."""
    ours, theirs = of(world), of(world, "clinic", "clinic")
    net = ip_network((new_id(4), 32))
    address = str(net.network_address)
    assert not await theirs.is_blocked(address)
    await ours.block(address, reason="BruteForce", blocks=5_000)
    assert await ours.is_blocked(f"::ffff:{address}")
    theirs._due = 0.0  # half a minute later
    found = await theirs.covering(address)
    assert found is not None
    assert (net, world.account("hospital"), BlockReason.BRUTE_FORCE) == (
        found.net,
        found.organisation,
        found.reason,
    )
    assert net in await theirs.networks()
    with pytest.raises(BlockUnknown):
        await theirs.unblock(net)
    await ours.unblock(address)
    theirs._due = 0.0
    assert not await theirs.is_blocked(address)


async def test_signatures_come_and_go(world: World) -> None:
    """The text is read from the chain; a retired one is gone."""
    ours = of(world)
    signature_id = await ours.register_signature("GET /\u00fc", format="Regex", severity="High")
    [found] = [each for each in await ours.signatures() if each.signature_id == signature_id]
    assert "GET /\u00fc".encode() == found.pattern
    await ours.retire_signature(signature_id)
    assert signature_id not in {each.signature_id for each in await ours.signatures()}


async def test_following_and_reading_anew_agree(world: World) -> None:
    """Who follows block by block knows what a newcomer knows; trust makes a difference."""
    followed = ThreatFeed(world.chain)
    await followed.refresh()
    nets = [ip_network((new_id(16), 128)) for _ in range(2)]
    expires_at = await world.height() + 5_000
    await world.together(
        (
            "operator",
            [calls.block_ip(world.account("hospital"), nets[0], reason="Policy", expires_at=expires_at)],
        ),
        (
            "clinic",
            [calls.block_ip(world.account("clinic"), nets[1], reason="Policy", expires_at=expires_at)],
        ),
    )
    await followed.refresh()
    anew = ThreatFeed(world.chain)
    trusting = ThreatFeed(world.chain, trusted=[world.account("clinic")])
    for each in (anew, trusting):
        await each.refresh()
    assert set(anew.blocklist) == set(followed.blocklist)
    assert anew.signatures == followed.signatures
    assert {world.account("clinic")} == {entry.organisation for entry in trusting.blocklist}
    assert set(nets) <= {entry.net for entry in anew.blocklist}


async def test_bad_input_is_refused_before_it_is_sent(world: World) -> None:
    """Nothing reaches the chain."""
    ours = of(world)
    for net, blocks in [("10.0.0.1/8", 10), ("nonsense", 10), ("10.0.0.0/8", 0), ("10.0.0.0/8", 10**9)]:
        with pytest.raises(InputInvalid):
            await ours.block(net, reason="Policy", blocks=blocks)
    with pytest.raises(InputInvalid):
        await ours.block("10.0.0.0/8", reason="Because")


async def test_with_the_chain_away_what_is_known_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """For an hour; who knows nothing yet is told so, and an attempt in vain is not repeated at once."""
    chain = MemoryChain()
    threats = Threats(chain, chain.submitter(new_id()), new_id())
    chain.reachable = False
    with pytest.raises(ChainUnreachable):
        await threats.is_blocked("192.0.2.1")
    chain.reachable = True
    assert not await threats.is_blocked("192.0.2.1")
    chain.reachable = False
    threats._due = 0.0
    assert not await threats.is_blocked("192.0.2.1")
    assert threats._due > 0
    monkeypatch.setattr(client, "MAX_STALE_S", -1.0)
    threats._due = 0.0
    with pytest.raises(ChainUnreachable):
        await threats.is_blocked("192.0.2.1")


async def test_who_is_far_behind_reads_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes keep old blocks' events, yet reading the state is quicker."""
    chain = MemoryChain()
    followed = ThreatFeed(chain)
    await followed.refresh()
    for _ in range(3):
        chain.finalize_block()
    monkeypatch.setattr(feed, "MAX_FOLLOWED", 2)
    monkeypatch.setattr(MemoryChain, "finalized_blocks", None)
    assert 3 == await followed.refresh() == followed.height
