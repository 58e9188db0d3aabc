"""Commit, ask, report and verify, over a chain and storage nodes in memory."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from caregrid import auditing
from caregrid.auditing import FailoverProvingStore, MemoryProvingStore
from caregrid.chain import calls
from caregrid.chain.port import AuditOutcome, ProofScheme
from caregrid.errors import (
    CaregridError,
    ChallengeEarly,
    ChallengeMismatch,
    CommitmentMismatch,
    CommitmentUnknown,
    ConfigInvalid,
    FileIdMismatch,
    FragmentLost,
    InputInvalid,
    ObjectUnknown,
    ProofFailed,
    ProofMissing,
    ProofOverdue,
    RateLimited,
    StorageUnreachable,
    TagsUnknown,
)
from caregrid.proofs import podr2
from caregrid.proofs.proving_store import FragmentPlace
from caregrid.proofs.schedule import Terms
from caregrid.proofs.verdict import Finding
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat
from caregrid.storage import MemoryObjectStore
from caregrid.testing import MemoryChain

if TYPE_CHECKING:
    from pathlib import Path

    from caregrid.auditing import Committed, Tagged
    from caregrid.proofs.bundle import Bundle

HOSPITAL, PATIENT = b"\x01" * 32, b"\x02" * 32
KEY = podr2.keygen("public", b"\x07" * 32)
PUBLIC = KEY.public_key()
CONTENT = random.Random(12).randbytes(70_000)  # noqa: S311 - no secret
TERMS = Terms(blocks=10, fragments=12)
STORE = MemoryObjectStore()
PROVING = MemoryProvingStore(STORE)
_TAGGED: dict[bytes, Tagged] = {}


@dataclass(frozen=True)
class World:
    """An anchored object and the nodes that hold it."""

    chain: MemoryChain
    store: MemoryObjectStore
    proving: MemoryProvingStore
    source: Path
    object_id: bytes

    async def commit(self) -> Tagged:
        """Tag the object, unless an earlier test has, and commit to it."""
        tagged = _TAGGED.get(self.object_id) or await self.tag()
        call = auditing.commit_call(HOSPITAL, tagged.tags, PUBLIC)
        await self.chain.submitter(HOSPITAL).submit(call)
        return tagged

    async def tag(self) -> Tagged:
        """Tag the object, which takes seconds."""
        made = await auditing.tag_object(self.object_id, self.source, self.proving, KEY, threads=2)
        return _TAGGED.setdefault(self.object_id, made)

    async def known(self) -> Committed:
        """Return what the chain says."""
        return await auditing.committed(self.chain, self.object_id)

    def wait(self, blocks: int = 50) -> None:
        """Let time pass."""
        for _ in range(blocks):
            self.chain.finalize_block()

    async def round(self, tagged: Tagged) -> Bundle:
        """Ask the nodes what the last round asks for."""
        beacon = await auditing.beacon_at(self.chain, await self.known())
        return await auditing.ask_round(self.proving, beacon, tagged.tags, PUBLIC, TERMS)

    def place(self, number: int) -> FragmentPlace:
        """Return a fragment's place."""
        return FragmentPlace.numbered(self.object_id, number)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """The object, anchored and not committed to; nodes and their tags are the same for all tests."""
    chain, store = MemoryChain(), STORE
    PROVING.faults, PROVING.damaged = {}, {}
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    object_id = await store.put(source)
    entry = ObjectEntry(object_id=object_id, size=len(CONTENT), record_count=1, manifest_root=bytes(32))
    record = RecordEntry(
        record_id=bytes(16),
        patient_id=PATIENT,
        offset=0,
        length=10,
        digest=bytes(32),
        format=RecordFormat.BINARY,
    )
    submitter = chain.submitter(HOSPITAL)
    await submitter.submit(calls.register_organisation([]))
    await submitter.submit(calls.register_patient(HOSPITAL, PATIENT))
    await submitter.submit(calls.store_emr(HOSPITAL, entry, record))
    return World(chain, store, PROVING, source, object_id)


async def test_the_whole_way(world: World) -> None:
    """All nodes prove; the report stands on the chain, names the bundle, and its history tells of both."""
    tagged = await world.commit()
    world.wait()
    bundle = await world.round(tagged)
    verified = await auditing.verify_bundle(world.chain, bundle, TERMS, object_id=world.object_id)
    verified.require_passed()
    assert (HOSPITAL, False) == (verified.custodian, verified.reported)
    report = auditing.report_of(bundle, verified.verdict)
    assert (ProofScheme.PUBLIC, AuditOutcome.PASSED, bundle.height) == (
        report.scheme,
        report.outcome,
        report.challenged_at,
    )
    await world.chain.submitter(HOSPITAL).submit(calls.report_integrity(HOSPITAL, [report]))
    assert (await auditing.verify_bundle(world.chain, bundle, TERMS)).reported
    head = (await world.chain.finalized_head()).number
    told = await auditing.history(world.chain, world.object_id, 0, head)
    assert ["ProofCommitted", "IntegrityReported"] == [each.name for each in told]
    assert bundle.digest() == told[1].facts["proof_digest"]
    assert [] == list(await auditing.history(world.chain, bytes(32), 0, head))


FAULTS: list[tuple[CaregridError, Finding]] = [
    (StorageUnreachable(), Finding.OFFLINE),
    (FragmentLost(), Finding.OFFLINE),
    (TagsUnknown(), Finding.OFFLINE),
    (ObjectUnknown(), Finding.OFFLINE),
    (ProofOverdue(), Finding.CONTAINED),
    (RateLimited(), Finding.UNKNOWN),
]


async def test_silent_nodes(world: World) -> None:
    """Each way of not answering has its outcome, none of which condemns."""
    tagged = await world.commit()
    world.wait()
    for fault, expected in FAULTS:
        world.proving.faults = {world.place(5): fault}
        verified = await auditing.verify_bundle(world.chain, await world.round(tagged), TERMS)
        assert expected is verified.verdict.worst, fault
        with pytest.raises(ProofMissing, match=r"\[5\]"):
            verified.require_passed()


async def test_a_node_with_other_bytes_has_failed(world: World) -> None:
    """A proof from other content is a proved wrong answer, whatever others say."""
    tagged = await world.commit()
    world.wait()
    world.proving.damaged = {world.place(7): random.Random(13).randbytes(podr2.FRAGMENT_LEN)}  # noqa: S311
    world.proving.faults = {world.place(8): StorageUnreachable()}
    verified = await auditing.verify_bundle(world.chain, await world.round(tagged), TERMS)
    assert Finding.FAILED is verified.verdict.worst
    with pytest.raises(ProofFailed, match=r"\[7\]"):
        verified.require_passed()


async def test_before_there_is_a_round(world: World) -> None:
    """Nothing can be asked of an object without a commitment, or before 32 blocks after it are final."""
    with pytest.raises(CommitmentUnknown):
        await world.known()
    with pytest.raises(ObjectUnknown):
        await auditing.committed(world.chain, bytes(32))
    await world.commit()
    known = await world.known()
    with pytest.raises(ChallengeEarly, match="wait until block 40"):
        await auditing.beacon_at(world.chain, known)
    with pytest.raises(ChallengeEarly):
        await auditing.beacon_at(world.chain, known, 40)
    with pytest.raises(ChallengeMismatch):
        await auditing.beacon_at(world.chain, known, 30)
    world.wait(40)
    assert 40 == (await auditing.beacon_at(world.chain, await world.known())).height


async def test_a_custodian_does_not_choose(world: World) -> None:
    """A bundle of another round, of another object or of an older commitment is refused."""
    tagged = await world.commit()
    world.wait()
    bundle = await world.round(tagged)
    for wrong in ({"height": bundle.height - 10}, {"object_id": bytes(32)}):
        with pytest.raises(ChallengeMismatch):
            await auditing.verify_bundle(world.chain, bundle, TERMS, **wrong)
    await world.chain.submitter(HOSPITAL).submit(auditing.commit_call(HOSPITAL, tagged.tags, PUBLIC))
    with pytest.raises(ChallengeMismatch):
        await auditing.verify_bundle(world.chain, bundle, TERMS)


async def test_what_was_not_committed_to(world: World) -> None:
    """Another key, or another list, is refused before any node is asked."""
    tagged = await world.commit()
    known, other = await world.known(), podr2.keygen("public", b"\x08" * 32).public_key()
    auditing.require_committed(known, tagged.tags, PUBLIC)
    first, *rest = tagged.tags.fragments
    changed = replace(tagged.tags, fragments=(replace(first, tags=bytes(32)), *rest))
    for tags, key in ((tagged.tags, other), (changed, PUBLIC)):
        with pytest.raises(CommitmentMismatch):
            auditing.require_committed(known, tags, key)
    with pytest.raises(CommitmentMismatch):
        auditing.commit_call(HOSPITAL, tagged.tags, other)


async def test_stored_objects_are_tagged_later(world: World, tmp_path: Path) -> None:
    """From the network's own copy, with the same tags; what lies on the disk meanwhile is gone."""
    folder = tmp_path / "holding"
    folder.mkdir()
    later = await auditing.tag_stored(
        world.object_id, world.store, world.proving, KEY, threads=2, folder=folder
    )
    assert later.tags == (await world.commit()).tags
    assert [] == list(folder.iterdir())


async def test_nodes_that_take_no_tags_are_named(world: World) -> None:
    """The object is tagged all the same, and the list is whole."""
    world.proving.faults = {world.place(3): StorageUnreachable()}
    tagged = await auditing.tag_object(world.object_id, world.source, world.proving, KEY, threads=2)
    assert (12, (world.place(3),)) == (len(tagged.tags.fragments), tagged.untaken)


async def test_content_of_another_object_is_refused(world: World) -> None:
    """Tags are made of what is stored, not of what somebody has."""
    world.source.write_bytes(CONTENT + b"more")
    with pytest.raises((FileIdMismatch, InputInvalid)):
        await auditing.tag_object(world.object_id, world.source, world.proving, KEY, threads=2)


async def test_the_next_gateway_is_asked(world: World) -> None:
    """One that cannot be reached is passed over; with none left, that is what is said."""
    down = MemoryProvingStore(MemoryObjectStore())
    down.faults = {world.place(0): StorageUnreachable()}
    both = FailoverProvingStore([down, world.proving])
    expected = await world.proving.held_tags(world.place(0))
    assert expected == await both.held_tags(world.place(0))
    with pytest.raises(StorageUnreachable):
        await FailoverProvingStore([down]).held_tags(world.place(0))
    with pytest.raises(ConfigInvalid):
        FailoverProvingStore([])
    await both.close()


async def test_histories_are_bounded(world: World) -> None:
    """Nobody waits for a node to read a year of blocks by mistake."""
    for start, end in ((5, 4), (-1, 4), (0, 21_600)):
        with pytest.raises(InputInvalid):
            await auditing.history(world.chain, world.object_id, start, end)
