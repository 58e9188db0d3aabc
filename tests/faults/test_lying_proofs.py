"""Storage nodes that do not hold what they were given, as real processes: no proof of theirs is right."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sr25519

from caregrid.auditing import ask_round, open_proving_store, tag_object
from caregrid.errors import FragmentLost, StorageUnreachable, TagsUnknown
from caregrid.proofs import podr2
from caregrid.proofs.beacon import Beacon
from caregrid.proofs.podr2 import Challenge
from caregrid.proofs.proving_store import FragmentPlace
from caregrid.proofs.schedule import Terms
from caregrid.proofs.verdict import Facts, Finding, judge
from caregrid.storage import DeossStore
from storage_network import LocalNetwork
from storage_network.launch import wait_until
from storage_network.layout import Layout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from caregrid.auditing import FailoverProvingStore, Tagged

PROGRAM = Path(__file__).with_name("lying_prover.py")
PAIR = sr25519.pair_from_seed(b"\x01" * 32)
CONTENT = random.Random(11).randbytes(podr2.FRAGMENT_LEN * 4)  # noqa: S311 - no secret
KEY = podr2.keygen("public", b"\x07" * 32)
PUBLIC = KEY.public_key()
#: The fragment whose node lies.
INDEX = 6
START_TIMEOUT_S = 60.0
_KNOWN: dict[str, Tagged] = {}
LIES = ("random", "zero", "short", "truncated", "swapped", "sum", "other coefficients", "half the blocks")


@dataclass(frozen=True)
class World:
    """A tagged object, and the folder of the node that holds one of its fragments."""

    network: LocalNetwork
    proving: FailoverProvingStore
    tagged: Tagged
    number: int  #: of the node

    @property
    def folder(self) -> Path:
        """The node's."""
        return self.network.node_folder(self.number)

    @property
    def digest(self) -> bytes:
        """The fragment's."""
        return self.tagged.tags.fragments[INDEX].digest

    @property
    def file(self) -> Path:
        """The fragment's."""
        return self.folder / "fragments" / self.digest.hex()

    async def prove(self, challenge: Challenge) -> bytes:
        """Ask the node."""
        place = FragmentPlace.numbered(self.tagged.tags.object_id, INDEX)
        return await self.proving.prove(place, self.tagged.tags.fragments[INDEX].tags, challenge)

    def is_right(self, challenge: Challenge, proof: bytes) -> bool:
        """Verify as anybody can."""
        return podr2.verify(PUBLIC, self.digest, challenge, proof)

    def lie(self, how: str) -> None:
        """Tell the lying process how to answer from now on."""
        (self.folder / "lie").write_text(how)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    """A gateway and twelve storage nodes."""
    root = tmp_path_factory.mktemp("network")
    with LocalNetwork(root) as running:
        yield running
    shutil.rmtree(root)


@pytest.fixture
async def world(network: LocalNetwork, tmp_path: Path) -> AsyncIterator[World]:
    """The object, tagged."""
    store = DeossStore(network.gateway_url, PAIR[0], _sign)
    proving = open_proving_store([network.gateway_url], PAIR[0], _sign)
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    object_id = await store.put(source)
    await store.repair(object_id)
    tagged = await _tagged(object_id, source, proving)
    found = await store.fragments(object_id)
    assert found is not None
    number = int(found[0].fragments[INDEX].node.removeprefix("node-"))
    yield World(network=network, proving=proving, tagged=tagged, number=number)
    await proving.close()
    await store.close()


async def _tagged(object_id: bytes, source: Path, proving: FailoverProvingStore) -> Tagged:
    # Tags take seconds to make and are the same every time; only a node that lost them needs them again.
    places = [FragmentPlace.numbered(object_id, number) for number in range(12)]
    known = _KNOWN.get("tagged")
    if known is None or not all([await proving.held_tags(place) for place in places]):
        known = _KNOWN["tagged"] = await tag_object(object_id, source, proving, KEY)
    return known


@pytest.fixture
async def liar(world: World) -> AsyncIterator[World]:
    """The same with the node replaced by a process that lies, on the same port and disk."""
    layout = Layout(world.folder.parent)
    port = int(world.network.node_urls[world.number].rpartition(":")[2])
    world.network.kill_node(world.number)
    ready = layout.ready_file(world.folder)
    ready.unlink(missing_ok=True)
    world.lie("no lie")
    arguments = [sys.executable, str(PROGRAM), *layout.node_arguments(world.number, port)]
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        assert wait_until(ready.exists, START_TIMEOUT_S)
        yield world
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)
        world.network.restart_node(world.number)


def _sign(message: bytes) -> bytes:
    return bytes(sr25519.sign(PAIR, message))


def challenge(word: str) -> Challenge:
    """Return a challenge of 300 blocks."""
    return Challenge.from_seed(sha256(word.encode()).digest())


async def test_every_lie_is_found(liar: World) -> None:
    """Each way of answering without the data is a wrong proof; an honest answer of the process is right."""
    (liar.folder / "other").write_bytes(CONTENT[: podr2.FRAGMENT_LEN])
    for lie in LIES:
        liar.lie(lie)
        assert not liar.is_right(challenge(lie), await liar.prove(challenge(lie))), lie
    liar.lie("no lie")
    assert liar.is_right(challenge("honest"), await liar.prove(challenge("honest")))


async def test_a_replayed_proof_is_found(liar: World) -> None:
    """A proof that was right once is wrong for the next challenge."""
    liar.lie("replay")
    assert liar.is_right(challenge("first"), await liar.prove(challenge("first")))
    assert not liar.is_right(challenge("second"), await liar.prove(challenge("second")))


@pytest.mark.parametrize("lie", ["random", "short"])
async def test_a_bundle_condemns_the_liar_alone(liar: World, lie: str) -> None:
    """In a round of the whole object, eleven nodes pass and one has failed."""
    liar.lie(lie)
    beacon = Beacon(
        genesis_hash=bytes(32),
        object_id=liar.tagged.tags.object_id,
        committed_at=5,
        height=50,
        block_hashes=tuple(sha256(b"%d" % number).digest() for number in range(32)),
    )
    bundle = await ask_round(liar.proving, beacon, liar.tagged.tags, PUBLIC, Terms())
    facts = Facts(
        genesis_hash=bytes(32),
        object_id=beacon.object_id,
        object_size=len(CONTENT),
        point=bundle.point,
        commitment=liar.tagged.tags.commitment(),
        committed_at=5,
        block_hashes=beacon.block_hashes,
    )
    verdict = judge(bundle, facts, Terms(), threads=2)
    expected = {number: Finding.FAILED if number == INDEX else Finding.PASSED for number in range(12)}
    assert expected == verdict.findings
    assert Finding.FAILED is verdict.worst


async def test_a_deleted_fragment(world: World) -> None:
    """An honest node whose file is gone says so."""
    world.file.unlink()
    with pytest.raises(FragmentLost):
        await world.prove(challenge("deleted"))


async def test_a_truncated_fragment(world: World) -> None:
    """An honest node does not answer from half a file, and has set it aside."""
    world.file.write_bytes(world.file.read_bytes()[: podr2.FRAGMENT_LEN // 2])
    with pytest.raises(FragmentLost):
        await world.prove(challenge("truncated"))
    assert not world.file.exists()


async def test_a_swapped_fragment(world: World) -> None:
    """An honest node does not answer with another fragment's bytes."""
    world.file.write_bytes(CONTENT[: podr2.FRAGMENT_LEN])
    with pytest.raises(FragmentLost):
        await world.prove(challenge("swapped"))


async def test_damaged_tags(world: World, tmp_path: Path) -> None:
    """Damaged tags are gone rather than used; the owner makes the same again, and the commitment stays."""
    [file] = (world.folder / "tags" / world.digest.hex()).iterdir()
    file.write_bytes(bytes(len(file.read_bytes())))
    with pytest.raises(TagsUnknown):
        await world.prove(challenge("tags"))
    tags = world.tagged.tags
    again = await tag_object(tags.object_id, tmp_path / "source", world.proving, KEY)
    assert tags.commitment() == again.tags.commitment()
    assert world.is_right(challenge("tags"), await world.prove(challenge("tags")))


async def test_a_dead_node(world: World) -> None:
    """A node that is down is unreachable, which condemns nobody; its object is tagged all the same."""
    world.network.kill_node(world.number)
    try:
        with pytest.raises(StorageUnreachable):
            await world.prove(challenge("down"))
    finally:
        world.network.restart_node(world.number)
