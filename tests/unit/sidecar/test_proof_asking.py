"""Honest nodes behind outages of every kind: what is heard of them, and that it condemns none of them."""

from __future__ import annotations

import random
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caregrid.auditing import Committed
from caregrid.chain.port import AuditOutcome, ProofCommitment
from caregrid.errors import (
    CaregridError,
    FragmentLost,
    ObjectUnknown,
    ProofOverdue,
    RateLimited,
    StorageUnreachable,
    TagsUnknown,
)
from caregrid.proofs import podr2
from caregrid.proofs.beacon import Beacon
from caregrid.proofs.bundle import POINT_LEN
from caregrid.proofs.proving_store import FragmentPlace, ProvingStore
from caregrid.proofs.tag_list import NO_KEY, TaggedFragment, TagList
from caregrid.proofs.verdict import Finding
from ocw_sidecar.adapters.proving import proving_with
from ocw_sidecar.workers.proof_asking import ask_private, ask_public
from ocw_sidecar.workers.proof_course import conclude

if TYPE_CHECKING:
    from caregrid.proofs.podr2 import Challenge, PublicKey, SecretKey
    from ocw_sidecar.ports import Proving

OBJECT = b"\x09" * 32
SECRET = podr2.keygen("public", b"\x07" * 32)
SIZE = 32 * 1024 * 1024
OUTAGES = (ProofOverdue, StorageUnreachable, RateLimited, FragmentLost, TagsUnknown, ObjectUnknown)


class Nodes(ProvingStore):
    """Twelve nodes that answer honestly, or fail in the way that is wanted."""

    def __init__(self) -> None:
        self.fragments = [random.Random(number).randbytes(podr2.FRAGMENT_LEN) for number in range(12)]  # noqa: S311
        self.digests = [sha256(each).digest() for each in self.fragments]
        self.tags: dict[bytes, bytes] = {}
        self.down: dict[int, type[CaregridError]] = {}

    def tag(self, key: SecretKey, key_digest: bytes) -> TagList:
        """Take tags of every fragment; return their list."""
        entries = []
        for fragment, digest in zip(self.fragments, self.digests, strict=True):
            tags = podr2.tag(key, fragment, digest=digest, threads=2)
            self.tags[name := sha256(tags).digest()] = tags
            entries.append(TaggedFragment(digest=digest, tags=name))
        return TagList(object_id=OBJECT, key_digest=key_digest, fragments=tuple(entries))

    async def prove(self, place: FragmentPlace, tags: bytes, challenge: Challenge) -> bytes:
        """Answer, or not."""
        if place.index in self.down:
            raise self.down[place.index]
        return podr2.prove(self.fragments[place.index], self.tags[tags], challenge)

    async def put_tags(self, place: FragmentPlace, tags: bytes, key: PublicKey | None) -> bytes:
        """Take none here."""
        del place, tags, key
        raise TagsUnknown

    async def held_tags(self, place: FragmentPlace) -> frozenset[bytes]:
        """Tell of none."""
        del place
        return frozenset()

    async def close(self) -> None:
        """Do nothing."""


@pytest.fixture(scope="module")
def scene() -> Any:
    """The nodes, our keys, and both lists of tags."""
    nodes = Nodes()
    proving = proving_with(nodes, SECRET)
    own, public = nodes.tag(proving.private, NO_KEY), nodes.tag(SECRET, proving.public.digest)
    known = Committed(
        object_id=OBJECT,
        size=SIZE,
        custodian=bytes(32),
        proof=ProofCommitment(
            key=proving.public.encoded[1 : 1 + POINT_LEN], tags=public.commitment(), committed_at=3
        ),
        integrity=None,
        genesis_hash=bytes(32),
        finalized=500,
    )
    return SimpleNamespace(nodes=nodes, proving=proving, own=own, public=public, known=known)


def beacon(height: int) -> Beacon:
    """Return the blocks of a round."""
    hashes = tuple(sha256(b"%d/%d" % (height, number)).digest() for number in range(32))
    return Beacon(
        genesis_hash=bytes(32), object_id=OBJECT, committed_at=3, height=height, block_hashes=hashes
    )


def failing(places: dict[int, type[CaregridError]]) -> dict[int, Finding]:
    """Return what is to be heard of outages."""
    said = {ProofOverdue: Finding.CONTAINED, RateLimited: Finding.UNKNOWN}
    return {number: said.get(kind, Finding.OFFLINE) for number, kind in places.items()}


PLACES = st.dictionaries(st.integers(0, 11), st.sampled_from(OUTAGES), max_size=11)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(places=PLACES, height=st.integers(4, 40), misses=st.integers(0, 2))
async def test_private_rounds_condemn_no_honest_node(
    scene: Any, places: dict[int, type[CaregridError]], height: int, misses: int
) -> None:
    """Whoever answers has passed; every outage has its finding; nothing has failed."""
    scene.nodes.down = places
    asked = await ask_private(scene.proving, beacon(10 * height), scene.own)
    assert dict.fromkeys(range(12), Finding.PASSED) | failing(places) == asked.heard.findings
    assert {each for each in places if places[each] is FragmentLost} == asked.heard.lost
    assert {each for each in places if places[each] is TagsUnknown} == asked.heard.untagged
    conclusion = conclude(asked.heard, misses=misses, limit=3)
    assert AuditOutcome.FAILED is not conclusion.outcome


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(places=PLACES, height=st.integers(4, 40))
async def test_public_rounds_condemn_no_honest_node(
    scene: Any, places: dict[int, type[CaregridError]], height: int
) -> None:
    """The same, as anybody can check."""
    scene.nodes.down = places
    asked = await ask_public(scene.proving, scene.known, beacon(10 * height), scene.public)
    assert dict.fromkeys(range(12), Finding.PASSED) | failing(places) == asked.heard.findings


async def test_both_schemes_find_other_bytes(scene: Any) -> None:
    """One wrong block of a hundred is found, within the rounds computed, and it alone has failed."""
    nodes, whole = scene.nodes, scene.nodes.fragments[4]
    nodes.down = {}
    damaged = bytearray(whole)
    for block in range(0, podr2.BLOCKS, 100):
        damaged[block * podr2.BLOCK_LEN] ^= 1
    nodes.fragments[4] = bytes(damaged)
    try:
        found = [await ask_private(scene.proving, beacon(height), scene.own) for height in (40, 50, 60, 70)]
        found.append(await ask_public(scene.proving, scene.known, beacon(40), scene.public))
    finally:
        nodes.fragments[4] = whole
    wrong = [{n for n, each in asked.heard.findings.items() if each is Finding.FAILED} for asked in found]
    assert {4} == set().union(*wrong[:4]) == wrong[-1]


async def test_a_gateway_that_is_down_says_nothing_of_nodes(scene: Any) -> None:
    """By either scheme."""
    scene.nodes.down = dict.fromkeys(range(12), StorageUnreachable)
    proving: Proving = scene.proving
    with pytest.raises(StorageUnreachable):
        await ask_private(proving, beacon(40), scene.own)
    with pytest.raises(StorageUnreachable):
        await ask_public(proving, scene.known, beacon(40), scene.public)
