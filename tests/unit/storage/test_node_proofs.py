"""Tags and proofs of a storage node over HTTP, and the tags on its disk."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caregrid.errors import DigestMismatch, DiskLow, InputInvalid, NotFound, TagsUnknown
from caregrid.proofs import podr2
from caregrid.proofs.podr2 import Challenge, Scheme
from storage_network.node import FragmentStore, make_app
from storage_network.node.proving import Prover
from storage_network.node.scrub import Scrubber, ScrubSettings
from storage_network.node.tags import MAX_SETS
from tests.unit.proofs.podr2.world import Kept, kept, secret_key, verifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import web

    Client = TestClient[web.Request, web.Application]

TOKEN = "t" * 64
CHALLENGE = Challenge.from_seed(sha256(b"asked").digest(), 20)
SIZE = podr2.FRAGMENT_LEN


def held() -> Kept:
    """Return a fragment with public tags."""
    return kept(Scheme.PUBLIC)


def name() -> bytes:
    """Return what its tags are kept under."""
    return sha256(held().tags).digest()


def body() -> bytes:
    """Return what a gateway sends to have them kept."""
    key = verifier(Scheme.PUBLIC)
    assert isinstance(key, podr2.PublicKey)
    return key.encoded + held().tags


def route(tail: str, digest: bytes | None = None) -> str:
    """Return a path below the fragment's."""
    return f"/fragment/{(digest or held().digest).hex()}/{tail}"


@pytest.fixture
def store(tmp_path: Path) -> FragmentStore:
    """A store that holds the fragment."""
    made = FragmentStore(tmp_path, SIZE, max_bytes=2 * SIZE)
    made.put(held().digest, held().fragment)
    return made


@pytest.fixture
async def node(store: FragmentStore) -> AsyncIterator[Client]:
    """A node over it."""
    app = make_app(store, TOKEN)
    async with TestClient(TestServer(app), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


async def _error_of(client: Client, method: str, path: str, data: bytes | None = None) -> tuple[int, str]:
    async with client.request(method, path, data=data) as response:
        return response.status, (await response.json())["error"]


async def _keep(client: Client) -> None:
    async with client.put(route(f"tags/{name().hex()}"), data=body()) as response:
        assert response.status == 201


async def test_a_node_keeps_tags_and_proves(node: Client) -> None:
    """What is kept is listed, and its proof is right."""
    await _keep(node)
    async with node.get(route("tags")) as response:
        assert {"tags": [name().hex()]} == await response.json()
    async with node.post(route(f"proof/{name().hex()}"), data=CHALLENGE.encoded) as response:
        assert response.status == 200
        proof = await response.read()
    assert podr2.verify(verifier(Scheme.PUBLIC), held().digest, CHALLENGE, proof)


async def test_every_request_needs_the_token(store: FragmentStore) -> None:
    """Without it nobody fills a node with tags or keeps it busy with proofs."""
    async with TestClient(TestServer(make_app(store, TOKEN))) as client:
        for method, tail in (("PUT", f"tags/{name().hex()}"), ("GET", "tags"), ("POST", f"proof/{'0' * 64}")):
            assert await _error_of(client, method, route(tail)) == (401, "unauthorised")


async def test_wrong_tags_are_refused(node: Client, store: FragmentStore) -> None:
    """Tags of another fragment, under another hash, of no kind, of another key or length leave nothing."""
    key, other = body()[: -len(held().tags)], kept(Scheme.PUBLIC, 2)
    strange = podr2.keygen("public", b"\x09" * 32).public_key().encoded
    for under, sent, code in (
        (sha256(other.tags).digest(), key + other.tags, "tags_wrong"),
        (bytes(32), body(), "tags_wrong"),
        (name(), strange + held().tags, "tags_wrong"),
        (name(), b"\x22" + body()[1:], "tags_wrong"),
        (name(), bytes(len(body())), "tags_wrong"),
        (sha256(bytes(16_385)).digest(), bytes(16_385), "tags_wrong"),
        (name(), held().tags, "wrong_size"),
        (name(), b"", "wrong_size"),
    ):
        assert await _error_of(node, "PUT", route(f"tags/{under.hex()}"), sent) == (400, code)
    assert [] == store.tags.names(held().digest)


async def test_what_is_not_there(node: Client) -> None:
    """Unknown tags and unknown fragments are told apart."""
    assert await _error_of(node, "POST", route(f"proof/{name().hex()}"), CHALLENGE.encoded) == (
        404,
        "tags_unknown",
    )
    for method, tail in (("PUT", f"tags/{name().hex()}"), ("GET", "tags"), ("POST", f"proof/{name().hex()}")):
        data = body() if method == "PUT" else CHALLENGE.encoded
        assert await _error_of(node, method, route(tail, bytes(32)), data) == (404, "fragment_unknown")


async def test_a_damaged_fragment_is_not_proved(node: Client, store: FragmentStore, tmp_path: Path) -> None:
    """Of a fragment with one flipped bit there is no proof; it is set aside, and its tags wait for it."""
    await _keep(node)
    file = tmp_path / "fragments" / held().digest.hex()
    file.write_bytes(bytes([held().fragment[0] ^ 1]) + held().fragment[1:])
    proof = route(f"proof/{name().hex()}")
    assert await _error_of(node, "POST", proof, CHALLENGE.encoded) == (410, "fragment_corrupt")
    store.put(held().digest, held().fragment)
    async with node.post(proof, data=CHALLENGE.encoded) as response:
        assert response.status == 200


@given(st.binary(min_size=1, max_size=19_000) | st.binary(max_size=200).map(lambda more: b"\x04" + more))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_a_challenge(store: FragmentStore, asked: bytes) -> None:
    """What is no challenge ends in one kind of error, whatever it is."""
    with pytest.raises(InputInvalid):
        Prover(store).prove(held().digest, name(), asked)


async def test_broken_challenges_are_refused(node: Client) -> None:
    """Nonsense, nothing, and more than all blocks."""
    await _keep(node)
    proof = route(f"proof/{name().hex()}")
    for sent, code in (
        (b"x", "challenge_invalid"),
        (CHALLENGE.encoded[:-1], "challenge_invalid"),
        (CHALLENGE.encoded + b"\0", "challenge_invalid"),
        (b"", "wrong_size"),
        (bytes(20_000), "wrong_size"),
    ):
        assert await _error_of(node, "POST", proof, sent) == (400, code)


def test_tags_count_in_the_quota(tmp_path: Path) -> None:
    """They are bytes used, are counted anew after a restart, and a full node refuses them."""
    room = SIZE + len(held().tags)
    store = FragmentStore(tmp_path, SIZE, max_bytes=room)
    store.put(held().digest, held().fragment)
    store.put_tags(held().digest, name(), held().tags)
    store.put_tags(held().digest, name(), held().tags)
    assert (1, room, 0) == (store.usage().fragments, store.usage().bytes_used, store.usage().bytes_free)
    with pytest.raises(DiskLow):
        store.put_tags(held().digest, sha256(b"more").digest(), b"more")
    again = FragmentStore(tmp_path, SIZE, max_bytes=room)
    assert room == again.usage().bytes_used
    again.delete(held().digest)
    assert (0, 0) == (again.usage().fragments, again.usage().bytes_used)
    assert [] == again.tags.names(held().digest)


def test_a_fragment_has_few_sets(store: FragmentStore) -> None:
    """Nobody fills a node with sets of tags."""
    for number in range(MAX_SETS):
        tags = b"%d" % number
        store.put_tags(held().digest, sha256(tags).digest(), tags)
    with pytest.raises(DiskLow):
        store.put_tags(held().digest, sha256(b"more").digest(), b"more")
    store.put_tags(held().digest, sha256(b"0").digest(), b"0")


def test_tags_need_their_hash_and_their_fragment(store: FragmentStore) -> None:
    """Nothing is kept under another hash, or for a fragment that is not here."""
    with pytest.raises(DigestMismatch):
        store.put_tags(held().digest, bytes(32), held().tags)
    with pytest.raises(NotFound):
        store.put_tags(bytes(32), name(), held().tags)


async def test_scrubbing_finds_damaged_tags(store: FragmentStore, tmp_path: Path) -> None:
    """A flipped bit in a tag is found without anybody asking; the tags are gone and count no more."""
    store.put_tags(held().digest, name(), held().tags)
    file = tmp_path / "tags" / held().digest.hex() / name().hex()
    file.write_bytes(held().tags[:-1] + bytes([held().tags[-1] ^ 1]))
    scrubber = Scrubber(store, tmp_path / "scrub", ScrubSettings(period_s=0.001))
    await scrubber.scrub()
    assert (1, 0, 1) == (scrubber.checked, scrubber.damaged, scrubber.damaged_tags)
    with pytest.raises(TagsUnknown):
        store.tags.read(held().digest, name())
    assert SIZE == store.usage().bytes_used


def test_private_tags_prove_too(store: FragmentStore) -> None:
    """A node keeps an owner's private tags as they are, and answers with them."""
    private = kept(Scheme.PRIVATE)
    prover, under = Prover(store), sha256(private.tags).digest()
    prover.keep(private.digest, under, private.tags)
    proof = prover.prove(private.digest, under, CHALLENGE.encoded)
    assert podr2.verify(secret_key(Scheme.PRIVATE), private.digest, CHALLENGE, proof)
