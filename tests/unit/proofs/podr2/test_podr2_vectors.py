"""The committed vectors: the native code makes them, and the slow implementation agrees with each."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Final

import pytest

import podr2_vectors
from caregrid.errors import ProtocolViolation
from caregrid.proofs import podr2
from caregrid.proofs.podr2 import Challenge, Origin, Scheme
from podr2_vectors import fragment
from tests.unit.proofs.podr2.slow import curve, field, schemes
from tests.unit.proofs.podr2.world import verifier

#: Among 300 blocks the slow implementation would take half a minute for the points.
SLOW_COUNT: Final = 20


def vectors(name: str) -> Any:
    """Return a committed file."""
    return json.loads((podr2_vectors.FOLDER / f"{name}.json").read_text())


PUBLIC: Final = vectors("public")
PRIVATE: Final = vectors("private")
CHALLENGES: Final = vectors("challenges")


def test_the_files_are_what_the_script_makes() -> None:
    """No encoding changed without its vectors."""
    committed = {path.name: path.read_text() for path in podr2_vectors.FOLDER.iterdir()}
    assert committed == podr2_vectors.documents()


@pytest.mark.parametrize("vector", CHALLENGES["challenges"], ids=lambda vector: str(vector["count"]))
def test_challenges(vector: dict[str, Any]) -> None:
    """Native code and slow code derive the same blocks and coefficients."""
    seed = bytes.fromhex(vector["seed"])
    challenge = Challenge.from_seed(seed, vector["count"])
    assert schemes.challenge(seed, vector["count"]) == challenge.pairs()
    assert vector.get("encoded", challenge.encoded.hex()) == challenge.encoded.hex()
    assert (
        vector.get("sha256", sha256(challenge.encoded).hexdigest()) == sha256(challenge.encoded).hexdigest()
    )


@pytest.mark.parametrize("vector", CHALLENGES["origins"], ids=lambda vector: str(vector["first_height"]))
def test_origins(vector: dict[str, Any]) -> None:
    """The seed is the hash of the fields in the order of the page."""
    hashes = [bytes.fromhex(value) for value in vector["block_hashes"]]
    genesis, object_id, digest = (
        bytes.fromhex(vector[name]) for name in ("genesis_hash", "object_id", "fragment_digest")
    )
    heights = vector["committed_at"], vector["first_height"]
    parts = [b"caregrid/podr2/v1/seed", genesis, object_id, digest]
    parts += [height.to_bytes(8, "little") for height in heights]
    bits = "".join(str(value[31] % 2) for value in reversed(hashes))
    parts += [len(hashes).to_bytes(2, "little"), int(bits, 2).to_bytes((len(bits) + 7) // 8, "little")]
    assert vector["seed"] == sha256(b"".join(parts)).hexdigest()
    origin = Origin(
        genesis_hash=genesis,
        object_id=object_id,
        fragment_digest=digest,
        committed_at=heights[0],
        first_height=heights[1],
        block_hashes=tuple(hashes),
    )
    assert vector["seed"] == origin.seed().hex()


def test_public_keys() -> None:
    """The slow implementation derives the same generators from the seed."""
    assert PUBLIC["public_key"] == schemes.Public(bytes.fromhex(PUBLIC["seed"])).public_key().hex()


@pytest.mark.parametrize("vector", PUBLIC["fragments"], ids=lambda vector: vector["fragment"])
def test_public_tags(vector: dict[str, Any]) -> None:
    """The slow implementation computes the same points."""
    slow, content = schemes.Public(bytes.fromhex(PUBLIC["seed"])), fragment(vector["fragment"])
    name = sha256(content).digest()
    assert vector["digest"] == name.hex()
    for index, tag in vector["tags"].items():
        assert tag == curve.compress(slow.tag(content, name, int(index))).hex()


@pytest.mark.parametrize("vector", PUBLIC["proofs"], ids=lambda vector: vector["count"])
def test_public_proofs(vector: dict[str, Any]) -> None:
    """The slow implementation answers the same, and finds the proof right and another one wrong."""
    slow, content = schemes.Public(bytes.fromhex(PUBLIC["seed"])), fragment(vector["fragment"])
    seed, name, proof = (
        bytes.fromhex(vector["challenge_seed"]),
        sha256(content).digest(),
        bytes.fromhex(vector["proof"]),
    )
    pairs = schemes.challenge(seed, vector["count"])
    sums = schemes.sums(content, pairs, slow.SECTOR_LEN, field.R)
    assert proof[49:] == b"".join(mu.to_bytes(32, "little") for mu in sums)
    if vector["count"] <= SLOW_COUNT:
        assert proof[1:49] == curve.compress(_sigma(slow, content, name, pairs))
        assert slow.verify(name, pairs, proof)
        assert not slow.verify(name, pairs, proof[:49] + (1).to_bytes(32, "little") + proof[81:])


def _sigma(slow: schemes.Public, content: bytes, name: bytes, pairs: schemes.Pairs) -> curve.Point:
    total: curve.Point = None
    for index, coefficient in pairs:
        total = curve.add(total, curve.multiply(slow.tag(content, name, index), coefficient))
    return total


@pytest.mark.parametrize("vector", PRIVATE["fragments"], ids=lambda vector: vector["fragment"])
def test_private_tags(vector: dict[str, Any]) -> None:
    """The slow implementation computes the same numbers, all 1,024 of them."""
    slow, content = schemes.Private(bytes.fromhex(PRIVATE["seed"])), fragment(vector["fragment"])
    tags = slow.tags(content, bytes.fromhex(vector["digest"]))
    assert vector["tags_sha256"] == sha256(tags).hexdigest()
    for index, tag in vector["tags"].items():
        assert tag == tags[1 + 16 * int(index) :][:16].hex()


@pytest.mark.parametrize("vector", PRIVATE["proofs"], ids=lambda vector: vector["count"])
def test_private_proofs(vector: dict[str, Any]) -> None:
    """The slow implementation answers the same, and finds the proof right and another one wrong."""
    slow, content = schemes.Private(bytes.fromhex(PRIVATE["seed"])), fragment(vector["fragment"])
    name, proof = sha256(content).digest(), bytes.fromhex(vector["proof"])
    pairs = schemes.challenge(bytes.fromhex(vector["challenge_seed"]), vector["count"])
    assert proof == slow.prove(content, slow.tags(content, name), pairs)
    assert slow.verify(name, pairs, proof)
    assert not slow.verify(name, pairs, proof[:-1] + bytes([proof[-1] ^ 1]))


@pytest.mark.parametrize(
    ("scheme", "document", "vector"),
    [
        pytest.param(scheme, document, vector, id=f"{scheme.value}: {vector['why']}")
        for scheme, document in ((Scheme.PUBLIC, PUBLIC), (Scheme.PRIVATE, PRIVATE))
        for vector in document["malformed"]
    ],
)
def test_malformed_proofs(scheme: Scheme, document: dict[str, Any], vector: dict[str, Any]) -> None:
    """A proof with these bytes in it is refused when it is read, and is not true."""
    last = document["proofs"][-1]
    proof, edit = bytes.fromhex(last["proof"]), bytes.fromhex(vector["bytes"])
    challenge = Challenge.from_seed(bytes.fromhex(last["challenge_seed"]), last["count"])
    digest = sha256(fragment(last["fragment"])).digest()
    assert podr2.verify(verifier(scheme), digest, challenge, proof)
    forged = proof[: vector["offset"]] + edit + proof[vector["offset"] + len(edit) :]
    with pytest.raises(ProtocolViolation):
        podr2.check_proof(scheme, forged)
    assert not podr2.verify(verifier(scheme), digest, challenge, forged)
