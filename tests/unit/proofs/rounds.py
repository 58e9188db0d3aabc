"""What the tests of rounds and bundles share: a made-up chain and an object of three segments."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from caregrid.proofs.beacon import Beacon
from caregrid.proofs.bundle import Answer, Bundle, Reply
from caregrid.proofs.podr2 import Scheme
from caregrid.proofs.schedule import Terms
from caregrid.proofs.tag_list import TaggedFragment, TagList
from caregrid.proofs.verdict import Facts
from tests.unit.proofs.podr2.world import kept, secret_key

if TYPE_CHECKING:
    from caregrid.proofs.podr2 import PublicKey

GENESIS: Final = sha256(b"genesis").digest()
OBJECT: Final = sha256(b"object").digest()
COMMITTED_AT: Final = 100
HEIGHT: Final = 140
HASHES: Final = tuple(sha256(b"block %d" % height).digest() for height in range(HEIGHT - 31, HEIGHT + 1))
TERMS: Final = Terms(blocks=20, fragments=5)
#: Every fourth fragment is one, the others are another: making tags takes a while.
TAGGED: Final = 36


@cache
def public_key() -> PublicKey:
    """Return the owner's public key."""
    return secret_key(Scheme.PUBLIC).public_key()


def beacon(height: int = HEIGHT, hashes: tuple[bytes, ...] = HASHES) -> Beacon:
    """Return the round."""
    return Beacon(
        genesis_hash=GENESIS,
        object_id=OBJECT,
        committed_at=COMMITTED_AT,
        height=height,
        block_hashes=hashes,
    )


def content_of(number: int) -> int:
    """Return which content a fragment has."""
    return 1 if number % 4 == 0 else 2


@cache
def tag_list() -> TagList:
    """Return what the owner committed to."""
    held = [kept(Scheme.PUBLIC, content_of(number)) for number in range(TAGGED)]
    entries = [TaggedFragment(digest=each.digest, tags=sha256(each.tags).digest()) for each in held]
    return TagList(object_id=OBJECT, key_digest=public_key().digest, fragments=tuple(entries))


def facts() -> Facts:
    """Return what the chain says."""
    return Facts(
        genesis_hash=GENESIS,
        object_id=OBJECT,
        object_size=3 * 32 * 1024 * 1024,
        point=public_key().encoded[1:97],
        commitment=tag_list().commitment(),
        committed_at=COMMITTED_AT,
        block_hashes=HASHES,
    )


def answer(number: int) -> Answer:
    """Return what an honest node says to a fragment's challenge."""
    held, entry = kept(Scheme.PUBLIC, content_of(number)), tag_list().fragments[number]
    proof = held.prove(beacon().challenge(entry.digest, TERMS))
    return Answer(
        number=number, entry=entry, path=tuple(tag_list().path(number)), reply=Reply.PROVED, proof=proof
    )


@cache
def bundle() -> Bundle:
    """Return the bundle of a round that all nodes passed."""
    numbers = beacon().selected(TAGGED, TERMS)
    return Bundle(
        genesis_hash=GENESIS,
        object_id=OBJECT,
        committed_at=COMMITTED_AT,
        height=HEIGHT,
        block_hashes=HASHES,
        blocks=TERMS.blocks,
        tagged=TAGGED,
        key=public_key().encoded,
        answers=tuple(map(answer, numbers)),
    )


def silent(reply: Reply) -> Bundle:
    """Return the same bundle with its first node silent."""
    first, *rest = bundle().answers
    return replace(bundle(), answers=(replace(first, reply=reply, proof=b""), *rest))
