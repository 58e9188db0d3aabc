"""What the tests of the proofs share: keys, fragments and tags that take a while to make."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from caregrid.proofs import podr2
from caregrid.proofs.podr2 import Challenge, Claim, PublicKey, Scheme, SecretKey
from podr2_vectors import fragment

if TYPE_CHECKING:
    from collections.abc import Iterable

SEED: Final = bytes(range(32))
CHALLENGE: Final = Challenge.from_seed(sha256(b"what the tests ask").digest())


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A fragment with its tags, as a storage node keeps it."""

    fragment: bytes
    digest: bytes
    tags: bytes

    def prove(self, challenge: Challenge = CHALLENGE) -> bytes:
        """Answer."""
        return podr2.prove(self.fragment, self.tags, challenge)


@cache
def secret_key(scheme: Scheme, seed: bytes = SEED) -> SecretKey:
    """Return an owner's key."""
    return podr2.keygen(scheme, seed)


@cache
def verifier(scheme: Scheme, seed: bytes = SEED) -> PublicKey | SecretKey:
    """Return what the scheme's proofs are verified with."""
    key = secret_key(scheme, seed)
    return key.public_key() if scheme is Scheme.PUBLIC else key


@cache
def kept(scheme: Scheme, number: int = 1, seed: bytes = SEED) -> Kept:
    """Return a fragment and its owner's tags."""
    content = fragment(number)
    digest = sha256(content).digest()
    tags = podr2.tag(secret_key(scheme, seed), content, digest=digest, threads=2)
    return Kept(fragment=content, digest=digest, tags=tags)


def damaged(content: bytes, blocks: Iterable[int]) -> bytes:
    """Return a fragment with a bit flipped in some blocks."""
    changed = bytearray(content)
    for block in blocks:
        changed[block * podr2.BLOCK_LEN + 4_000] ^= 1
    return bytes(changed)


def claim(number: int = 1, seed: bytes = SEED, challenge: Challenge = CHALLENGE) -> Claim:
    """Return a true claim of the public scheme."""
    key = verifier(Scheme.PUBLIC, seed)
    assert isinstance(key, PublicKey)
    stored = kept(Scheme.PUBLIC, number, seed)
    return Claim(key=key, digest=stored.digest, challenge=challenge, proof=stored.prove(challenge))
