"""What every store whose nodes prove must do: the one in memory, and real nodes behind a real gateway."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
import sr25519

from caregrid.auditing import DeossProvingStore, MemoryProvingStore, open_proving_store, tag_object
from caregrid.errors import InputInvalid, ObjectUnknown, TagsUnknown, Unauthorised
from caregrid.proofs import podr2
from caregrid.proofs.podr2 import Challenge, Scheme
from caregrid.proofs.proving_store import FragmentPlace
from caregrid.storage import DeossStore, MemoryObjectStore, reed_solomon
from storage_network import LocalNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from caregrid.proofs.proving_store import ProvingStore
    from caregrid.storage import ObjectStore

PAIR = sr25519.pair_from_seed(b"\x01" * 32)
OTHER = sr25519.pair_from_seed(b"\x02" * 32)
CONTENT = random.Random(9).randbytes(podr2.FRAGMENT_LEN + 4_321)  # noqa: S311 - no secret
KEY = podr2.keygen(Scheme.PUBLIC, b"\x07" * 32)
PUBLIC = KEY.public_key()
CHALLENGE = Challenge.from_seed(sha256(b"a round").digest())


@dataclass(frozen=True)
class World:
    """A store with one object, and the nodes that hold it."""

    object_id: bytes
    proving: ProvingStore

    def place(self, index: int) -> FragmentPlace:
        """Return a fragment's place."""
        return FragmentPlace(object_id=self.object_id, segment=0, index=index)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    """A gateway and twelve storage nodes."""
    root = tmp_path_factory.mktemp("network")
    with LocalNetwork(root) as running:
        yield running
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def fragments() -> list[bytes]:
    """The object's fragments."""
    return reed_solomon.encode(CONTENT)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The object as a file."""
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(params=["memory", "network", "failover"])
async def world(request: pytest.FixtureRequest, source: Path) -> AsyncIterator[World]:
    """The object on a store of each kind."""
    store: ObjectStore
    proving: ProvingStore
    if request.param == "memory":
        store = memory = MemoryObjectStore()
        proving = MemoryProvingStore(memory)
    else:
        url = request.getfixturevalue("network").gateway_url
        store = DeossStore(url, PAIR[0], _sign)
        down = [] if request.param == "network" else ["http://127.0.0.1:1"]
        proving = open_proving_store([*down, url], PAIR[0], _sign)
    yield World(object_id=await store.put(source), proving=proving)
    await proving.close()
    await store.close()


def _sign(message: bytes) -> bytes:
    return bytes(sr25519.sign(PAIR, message))


@pytest.mark.parametrize("scheme", list(Scheme))
async def test_a_node_proves_what_it_holds(world: World, fragments: list[bytes], scheme: Scheme) -> None:
    """With the tags of either scheme, a node's answer is right, and its tags are listed."""
    key = podr2.keygen(scheme, b"\x07" * 32)
    public = key.public_key() if scheme is Scheme.PUBLIC else None
    tags = podr2.tag(key, fragments[5])
    name = await world.proving.put_tags(world.place(5), tags, public)
    assert sha256(tags).digest() == name
    assert name in await world.proving.held_tags(world.place(5))
    proof = await world.proving.prove(world.place(5), name, CHALLENGE)
    assert podr2.verify(public or key, sha256(fragments[5]).digest(), CHALLENGE, proof)


async def test_tags_again_change_nothing(world: World, fragments: list[bytes]) -> None:
    """The same tags twice are one set."""
    tags = podr2.tag(KEY, fragments[4])
    names = [await world.proving.put_tags(world.place(4), tags, PUBLIC) for _ in range(2)]
    assert frozenset(names[:1]) == await world.proving.held_tags(world.place(4))
    assert names[0] == names[1]


async def test_tags_of_another_fragment_are_refused(world: World, fragments: list[bytes]) -> None:
    """A node does not keep tags that would make its honest answers wrong."""
    with pytest.raises(InputInvalid):
        await world.proving.put_tags(world.place(6), podr2.tag(KEY, fragments[7]), PUBLIC)
    assert frozenset() == await world.proving.held_tags(world.place(6))


async def test_tags_of_another_key_are_refused(world: World, fragments: list[bytes]) -> None:
    """Tags and key belong together."""
    other = podr2.keygen(Scheme.PUBLIC, b"\x08" * 32).public_key()
    with pytest.raises(InputInvalid):
        await world.proving.put_tags(world.place(6), podr2.tag(KEY, fragments[6]), other)


async def test_unknown_tags(world: World) -> None:
    """Nobody can prove with tags that were never given to the node."""
    with pytest.raises(TagsUnknown):
        await world.proving.prove(world.place(0), bytes(32), CHALLENGE)


@pytest.mark.parametrize(("segment", "index"), [(1, 0), (0, 12)])
async def test_unknown_fragments(world: World, segment: int, index: int) -> None:
    """A place that the object does not have, and an object that is not there."""
    place = FragmentPlace(object_id=world.object_id, segment=segment, index=index)
    for unknown in (place, replace(world.place(0), object_id=b"\x0f" * 32)):
        with pytest.raises(ObjectUnknown):
            await world.proving.held_tags(unknown)
        with pytest.raises(ObjectUnknown):
            await world.proving.prove(unknown, bytes(32), CHALLENGE)


async def test_tagging_an_object(world: World, source: Path, fragments: list[bytes]) -> None:
    """Every fragment is tagged, in order, and every node answers for its own."""
    tagged = await tag_object(world.object_id, source, world.proving, KEY)
    assert () == tagged.untaken
    assert [sha256(each).digest() for each in fragments] == [each.digest for each in tagged.tags.fragments]
    for index in (0, 2, 11):
        entry = tagged.tags.fragments[index]
        proof = await world.proving.prove(world.place(index), entry.tags, CHALLENGE)
        assert podr2.verify(PUBLIC, entry.digest, CHALLENGE, proof)


async def test_only_an_owner_tags(network: LocalNetwork, source: Path, fragments: list[bytes]) -> None:
    """A stranger, who may ask for proofs, cannot fill a node with tags."""
    store = DeossStore(network.gateway_url, PAIR[0], _sign)
    place = FragmentPlace(object_id=await store.put(source), segment=0, index=3)
    stranger = DeossProvingStore(
        network.gateway_url, OTHER[0], lambda message: bytes(sr25519.sign(OTHER, message))
    )
    with pytest.raises(Unauthorised):
        await stranger.put_tags(place, podr2.tag(KEY, fragments[3]), PUBLIC)
    await stranger.close()
    await store.close()
