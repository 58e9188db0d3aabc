"""Keys, tags, challenges and the errors of the interface."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from hashlib import sha256
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caregrid.errors import InputInvalid, ProtocolViolation
from caregrid.proofs import podr2
from caregrid.proofs.podr2 import Challenge, Origin, PublicKey, Scheme, SecretKey
from podr2_vectors import fragment
from tests.unit.proofs.podr2.world import CHALLENGE, damaged, kept, secret_key, verifier

HASHES: Final = tuple(sha256(bytes([block])).digest() for block in range(32))
ORIGIN: Final = Origin(
    genesis_hash=b"g" * 32,
    object_id=b"o" * 32,
    fragment_digest=b"f" * 32,
    committed_at=10,
    first_height=11,
    block_hashes=HASHES,
)
MOST: Final = 2**127 - 2


def flipped(value: bytes) -> bytes:
    """Return a hash with its last bit changed."""
    return value[:-1] + bytes([value[-1] ^ 1])


each_scheme = pytest.mark.parametrize("scheme", list(Scheme), ids=lambda scheme: scheme.value)


@each_scheme
def test_keys_are_drawn_and_kept(scheme: Scheme) -> None:
    """Two keys differ, and a key comes back from its encoding."""
    first, second = podr2.keygen(scheme), podr2.keygen(scheme.value)
    assert first.encode() != second.encode()
    again = SecretKey.decode(first.encode())
    assert first.encode() == again.encode()
    assert scheme is again.scheme


@each_scheme
@pytest.mark.parametrize(
    "seed", [b"", bytes(32), b"x" * 31, b"x" * 33], ids=["empty", "zero", "short", "long"]
)
def test_bad_seeds(scheme: Scheme, seed: bytes) -> None:
    """A seed that is no 32 random bytes is refused, and not repeated in the error."""
    with pytest.raises(InputInvalid, match="32 random bytes") as caught:
        podr2.keygen(scheme, seed)
    assert "xxx" not in str(caught.value)


def test_bad_keys() -> None:
    """What is no key is refused with a word on what to do."""
    with pytest.raises(InputInvalid, match="schemes are"):
        podr2.keygen("secret")
    with pytest.raises(InputInvalid, match="no secret key"):
        SecretKey.decode(b"")
    with pytest.raises(InputInvalid, match="no public part"):
        secret_key(Scheme.PRIVATE).public_key()
    with pytest.raises(InputInvalid, match="public_key"):
        podr2.verify(secret_key(Scheme.PUBLIC), bytes(32), CHALLENGE, b"")


@each_scheme
def test_keys_do_not_show_themselves(scheme: Scheme) -> None:
    """Neither `repr` nor the public key nor the tags hold the seed."""
    canary = b"canary canary canary canary 1234"
    key = podr2.keygen(scheme, canary)
    shown = [repr(key).encode(), podr2.tag(key, fragment(0))]
    if scheme is Scheme.PUBLIC:
        shown += [key.public_key().encoded, repr(key.public_key()).encode()]
    for place in shown:
        assert b"canary" not in place
        assert canary.hex().encode() not in place


@pytest.mark.parametrize("offset", [0, 1, 97, -48], ids=["kind", "key", "first generator", "last generator"])
@pytest.mark.parametrize(
    "edit", ["00", "c0" + "00" * 47, "80" + "00" * 46 + "04"], ids=["plain", "zero", "outside"]
)
def test_bad_public_keys(offset: int, edit: str) -> None:
    """Points that are zero, not compressed or outside their group make no key."""
    encoded = bytearray(secret_key(Scheme.PUBLIC).public_key().encoded)
    at = offset % len(encoded)
    encoded[at : at + len(edit) // 2] = bytes.fromhex(edit)
    with pytest.raises(InputInvalid, match="no public key"):
        PublicKey(bytes(encoded))


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), kind=st.sampled_from([0x11, 0x12, 0x13, 0x22, 0x23, 0x04, 0]))
def test_any_bytes_are_refused(data: bytes, kind: int) -> None:
    """Readers of keys, challenges, tags and proofs refuse what is none, whatever it is."""
    encoded = bytes([kind]) + data
    with pytest.raises(InputInvalid):
        PublicKey(encoded)
    with pytest.raises(InputInvalid):
        podr2.prove(fragment(0), encoded, CHALLENGE)
    for scheme in Scheme:
        with pytest.raises(ProtocolViolation):
            podr2.check_proof(scheme, encoded)
        assert not podr2.verify(verifier(scheme), bytes(32), CHALLENGE, encoded)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=80))
def test_decoded_challenges_encode_to_the_same(data: bytes) -> None:
    """Bytes are a challenge in one way, or none."""
    try:
        challenge = Challenge.decode(b"\x04" + data)
    except InputInvalid:
        return
    assert b"\x04" + data == challenge.encoded


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_proofs_of_the_right_length(data: st.DataObject) -> None:
    """A proof with any bytes at any place is read or refused, and never true."""
    for scheme in Scheme:
        proof = bytearray(kept(scheme).tags[:1]) + bytearray(scheme.proof_len - 1)
        proof[0] += 1
        at = data.draw(st.integers(1, scheme.proof_len - 1))
        edit = data.draw(st.binary(min_size=1, max_size=60))
        proof[at : at + len(edit)] = edit[: len(proof) - at]
        assert not podr2.verify(verifier(scheme), kept(scheme).digest, CHALLENGE, bytes(proof))


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(1024, 1)],
        [(5, 1), (5, 2)],
        [(6, 1), (5, 1)],
        [(5, 0)],
        [(5, MOST + 1)],
        [(5, 2**128)],
        [(-1, 1)],
        [(70_000, 1)],
        [(5, -1)],
    ],
)
def test_bad_challenges(pairs: list[tuple[int, int]]) -> None:
    """No block twice, out of range or out of order; no coefficient that is zero in a field."""
    with pytest.raises(InputInvalid):
        Challenge.of(pairs)


def test_challenges_keep_their_pairs() -> None:
    """What is encoded is read again."""
    pairs = [(0, 1), (17, MOST), (1023, 2**64)]
    challenge = Challenge.of(pairs)
    assert pairs == challenge.pairs()
    assert challenge == Challenge.decode(challenge.encoded)


@pytest.mark.parametrize("count", [-1, 0, 1025, 70_000])
def test_bad_counts(count: int) -> None:
    """A challenge asks for 1 to 1,024 blocks."""
    with pytest.raises(InputInvalid):
        podr2.derive(ORIGIN, count)


@pytest.mark.parametrize(
    "change",
    [
        {"genesis_hash": b"h" * 32},
        {"object_id": b"p" * 32},
        {"fragment_digest": b"e" * 32},
        {"committed_at": 9},
        {"first_height": 12},
        {"block_hashes": (flipped(HASHES[0]), *HASHES[1:])},
        {"block_hashes": (*HASHES[:-1], flipped(HASHES[-1]))},
        {"block_hashes": (*HASHES, bytes(32))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_all_of_the_origin_counts(change: dict[str, object]) -> None:
    """Whatever differs leads to another challenge."""
    assert podr2.derive(ORIGIN).encoded != podr2.derive(replace(ORIGIN, **change)).encoded  # type: ignore[arg-type]


def test_the_last_author_chooses_between_two() -> None:
    """However many hashes the author of the last block tries, they lead to two challenges."""
    tried = (sha256(b"try %d" % attempt).digest() for attempt in range(100))
    seeds = {replace(ORIGIN, block_hashes=(*HASHES[:-1], value)).seed() for value in tried}
    assert 2 == len(seeds)


@pytest.mark.parametrize(
    "change",
    [
        {"object_id": b"short"},
        {"block_hashes": HASHES[1:]},
        {"block_hashes": (bytes(32),) * 257},
        {"block_hashes": (*HASHES[:-1], b"short")},
        {"first_height": 10},
        {"committed_at": -1},
        {"first_height": 2**64},
    ],
)
def test_bad_origins(change: dict[str, object]) -> None:
    """Blocks up to the commitment, too few or too many of them, and hashes that are none are refused."""
    with pytest.raises(InputInvalid):
        replace(ORIGIN, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [b"", bytes(podr2.FRAGMENT_LEN - 1), bytes(podr2.FRAGMENT_LEN + 1)],
    ids=["empty", "short", "long"],
)
@each_scheme
def test_fragments_of_the_wrong_size(scheme: Scheme, content: bytes) -> None:
    """Nothing but 8 MiB is tagged or proved."""
    with pytest.raises(InputInvalid, match="8,388,608"):
        podr2.tag(secret_key(scheme), content)
    with pytest.raises(InputInvalid, match="8,388,608"):
        podr2.prove(content, kept(scheme).tags, CHALLENGE)


@each_scheme
def test_names_of_the_wrong_size(scheme: Scheme) -> None:
    """A name is a SHA-256."""
    with pytest.raises(InputInvalid, match="SHA-256"):
        podr2.tag(secret_key(scheme), fragment(0), digest=b"name")
    with pytest.raises(InputInvalid, match="SHA-256"):
        podr2.verify(verifier(scheme), b"name", CHALLENGE, kept(scheme).prove())


@each_scheme
def test_the_name_is_the_fragments_digest(scheme: Scheme) -> None:
    """Without a digest it is computed."""
    content = fragment(1)
    assert kept(scheme).tags == podr2.tag(secret_key(scheme), content)
    assert sha256(content).digest() == kept(scheme).digest


@each_scheme
@pytest.mark.parametrize("threads", [0, 1, 3, 64, 10_000])
def test_threads_change_nothing(scheme: Scheme, threads: int) -> None:
    """The same tags, proof and verdict come from any number of threads."""
    stored = kept(scheme)
    assert stored.tags == podr2.tag(secret_key(scheme), stored.fragment, threads=threads)
    proof = podr2.prove(stored.fragment, stored.tags, CHALLENGE, threads=threads)
    assert stored.prove() == proof
    assert podr2.verify(verifier(scheme), stored.digest, CHALLENGE, proof, threads=threads)


def test_lengths() -> None:
    """Tags and proofs have the lengths of the page; tags take less than one hundredth of the fragment."""
    for scheme in Scheme:
        assert scheme.tags_len == len(kept(scheme).tags)
        assert scheme.proof_len == len(kept(scheme).prove())
        assert scheme.tags_len / podr2.FRAGMENT_LEN < 0.01


def test_a_keeper_accepts_only_right_tags() -> None:
    """Tags with any block's replaced are refused, so no honest keeper answers wrongly later."""
    key, stored = verifier(Scheme.PUBLIC), kept(Scheme.PUBLIC)
    assert isinstance(key, PublicKey)
    assert podr2.accepts_tags(key, stored.fragment, stored.tags, threads=2)
    tags = stored.tags
    for wrong in (
        tags[:1] + tags[49:97] + tags[49:],
        tags[:-48] + tags[1:49],
        tags[:-48] + b"\x80" + bytes(46) + b"\x04",
        tags[:-48] + b"\xc0" + bytes(47),
        tags[:-1],
        b"",
        kept(Scheme.PRIVATE).tags,
    ):
        assert not podr2.accepts_tags(key, stored.fragment, wrong, threads=2)
    assert not podr2.accepts_tags(
        key, damaged(stored.fragment, [1023]), tags, digest=stored.digest, threads=2
    )


def test_python_runs_while_tags_are_made() -> None:
    """The interpreter's lock is free in the middle of a call."""
    called: list[float] = []

    def work() -> None:
        called.append(time.monotonic())
        podr2.tag(secret_key(Scheme.PUBLIC), fragment(1), digest=bytes(32))
        called.append(time.monotonic())

    worker, ticks = threading.Thread(target=work), list[float]()
    worker.start()
    while worker.is_alive():
        ticks.append(time.monotonic())
        time.sleep(0.001)
    worker.join()
    start, end = called
    third = (end - start) / 3
    assert any(start + third < tick < end - third for tick in ticks)


def test_detection() -> None:
    """The probabilities are those of drawing without putting back."""
    assert pytest.approx(0.97, abs=0.005) == podr2.detection(10, podr2.DEFAULT_COUNT)
    assert pytest.approx(0.38, abs=0.005) == podr2.detection(10, 47)
    assert podr2.detection(0, 300) == 0
    assert podr2.detection(1, 1024) == 1
    assert podr2.detection(1024, 1) == 1
    assert pytest.approx(300 / 1024) == podr2.detection(1, 300)


@given(damage=st.integers(1, 1024), probability=st.floats(0.001, 0.999))
def test_the_least_count(damage: int, probability: float) -> None:
    """The count suffices, and one block fewer does not."""
    count = podr2.blocks_needed(damage, probability)
    assert podr2.detection(damage, count) >= probability
    assert podr2.detection(damage, count - 1) < probability


@pytest.mark.parametrize(("damage", "probability"), [(0, 0.5), (1025, 0.5), (1, 0.0), (1, 1.0)])
def test_bad_detection(damage: int, probability: float) -> None:
    """What cannot be promised is refused."""
    with pytest.raises(InputInvalid):
        podr2.blocks_needed(damage, probability)
    with pytest.raises(InputInvalid):
        podr2.detection(-1, 0)
