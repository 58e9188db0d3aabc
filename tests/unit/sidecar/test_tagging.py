"""Objects are given tags after they are stored, once, and the chain is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caregrid import auditing
from caregrid.chain import calls
from caregrid.chain.port import ProofScheme
from caregrid.errors import ConfigInvalid, FragmentLost, KeyStoreLocked, StorageUnreachable
from caregrid.proofs import podr2
from caregrid.proofs.proving_store import FragmentPlace
from caregrid.proofs.tag_list import TaggedFragment, TagList
from caregrid.testing import SubmitFault
from ocw_sidecar.adapters.proving import proof_key
from ocw_sidecar.testing import OPERATOR, ORGANISATION
from ocw_sidecar.workers.tagging import FOLDER
from tests.unit.sidecar.proof_world import PROVING, Proved, proved
from tests.unit.sidecar.worker_world import Time, mine, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Proved]:
    """One stored object without tags."""
    async with proved(tmp_path) as opened:
        yield opened


async def listed(world: Proved, scheme: ProofScheme) -> TagList:
    """Return the list of tags that is kept."""
    encoded = await world.sidecar.parts.desk.proofs.tags(world.object_id, scheme)
    assert encoded is not None
    return TagList.decode(encoded)


async def test_an_object_is_tagged_and_committed_to(world: Proved) -> None:
    """Nodes have both kinds of tags, lists are kept, the chain has the commitment; no file stays."""
    assert 1 == await world.tag()
    public, private = await listed(world, ProofScheme.PUBLIC), await listed(world, ProofScheme.PRIVATE)
    for number in range(12):
        held = await world.nodes.held_tags(FragmentPlace.numbered(world.object_id, number))
        assert {public.fragments[number].tags, private.fragments[number].tags} == held
    known = await auditing.committed(world.world.chain, world.object_id)
    auditing.require_committed(known, public, PROVING.public)
    home = world.sidecar.rig.bench.settings.home
    assert not (home / FOLDER).exists()
    counts = await world.sidecar.parts.desk.proofs.counts()
    assert (1, 1, 0, 0) == (counts.objects, counts.proved, counts.waiting, counts.open)
    sent = world.world.submitter.submitted
    assert 0 == await world.tag()
    assert sent == world.world.submitter.submitted


async def test_a_silent_node_gets_its_tags_later(tmp_path: Path) -> None:
    """The others answer for the object meanwhile, and the commitment stays the one it was."""
    async with proved(tmp_path, time := Time()) as world:
        place = FragmentPlace.numbered(world.object_id, 3)
        world.nodes.faults = {place: StorageUnreachable()}
        await world.tag()
        counts = await world.sidecar.parts.desk.proofs.counts()
        assert (1, 1) == (counts.proved, counts.waiting)
        assert 0 == await world.tag()
        world.nodes.faults = {}
        before = await auditing.committed(world.world.chain, world.object_id)
        mine(world.world, 3)
        time.pass_by(3600)
        assert 1 == await world.tag()
        assert before.proof == (await auditing.committed(world.world.chain, world.object_id)).proof
        assert 2 == len(await world.nodes.held_tags(place))
        assert 0 == (await world.sidecar.parts.desk.proofs.counts()).waiting


async def test_a_commitment_that_went_through_unheard_is_not_repeated(tmp_path: Path) -> None:
    """The step that is done again finds it on the chain."""
    async with proved(tmp_path, time := Time()) as world:
        world.world.submitter.faults.append(SubmitFault.UNHEARD)
        await world.tag()
        assert 1 == (await world.sidecar.parts.desk.proofs.counts()).waiting
        sent = world.world.submitter.submitted
        time.pass_by(3600)
        await world.tag()
        counts = await world.sidecar.parts.desk.proofs.counts()
        assert (1, 0) == (counts.proved, counts.waiting)
        assert sent == world.world.submitter.submitted


async def test_a_commitment_of_another_key_stands(world: Proved) -> None:
    """Who made it by hand would find it gone; the reason is kept for him."""
    other = podr2.keygen("public", b"\x08" * 32)
    stored = TagList(
        object_id=world.object_id,
        key_digest=other.public_key().digest,
        fragments=(TaggedFragment(digest=bytes(32), tags=bytes(32)),) * 12,
    )
    call = auditing.commit_call(ORGANISATION, stored, other.public_key())
    await world.world.chain.submitter(OPERATOR).submit(call)
    await world.tag()
    known = await auditing.committed(world.world.chain, world.object_id)
    assert stored.commitment() == known.proof.tags
    counts = await world.sidecar.parts.desk.proofs.counts()
    assert (0, 1) == (counts.proved, counts.waiting)


async def test_an_object_that_is_gone_is_forgotten(world: Proved) -> None:
    """With its tags, when its last record is erased."""
    await world.tag()
    desk = world.sidecar.parts.desk
    [record] = await desk.ledger.records_of_object(world.object_id, 10)
    await world.world.chain.submitter(ORGANISATION).submit(calls.erase_record(ORGANISATION, record))
    await world.sidecar.follow()
    assert 0 == (await desk.proofs.counts()).objects
    assert None is await desk.proofs.tags(world.object_id, ProofScheme.PUBLIC)
    await desk.proofs.end(world.object_id)


async def test_without_room_an_object_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is left to what comes in; nothing is downloaded."""
    async with proved(tmp_path) as world:
        monkeypatch.setattr(world.sidecar.rig.bench.spool, "free_bytes", lambda: -1)
        await world.tag()
        assert 1 == (await world.sidecar.parts.desk.proofs.counts()).waiting
        assert frozenset() == await world.nodes.held_tags(FragmentPlace.numbered(world.object_id, 0))


async def test_networks_without_proofs_of_ours(tmp_path: Path) -> None:
    """Nothing is tagged where no node answers challenges."""
    async with working(tmp_path) as sidecar:
        await sidecar.store(b"one")
        world = Proved(sidecar=sidecar, nodes=None, object_id=bytes(32))  # type: ignore[arg-type]
        assert 0 == await world.tag()


async def test_a_lost_fragment_is_no_reason_to_stop(world: Proved) -> None:
    """Its node is given the tags when it has the fragment again."""
    world.nodes.faults = {FragmentPlace.numbered(world.object_id, 5): FragmentLost()}
    await world.tag()
    assert 1 == (await world.sidecar.parts.desk.proofs.counts()).proved


def test_the_key_is_made_once_and_stays_private(tmp_path: Path) -> None:
    """A file that others can read, or that holds something else, is refused."""
    path = tmp_path / "proof.key"
    made = proof_key(path)
    assert 0o600 == path.stat().st_mode & 0o777
    assert made.encode() == proof_key(path).encode()
    path.chmod(0o644)
    with pytest.raises(KeyStoreLocked):
        proof_key(path)
    path.chmod(0o600)
    for content in (b"", b"x" * 33, podr2.keygen("private").encode(), made.encode() + b"x"):
        path.write_bytes(content)
        with pytest.raises(ConfigInvalid):
            proof_key(path)
    with pytest.raises(ConfigInvalid):
        proof_key(tmp_path / "none" / "proof.key")
