"""What is timed: the calls of `caregrid.proofs.podr2` on fragments of random bytes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from caregrid.proofs import podr2
from caregrid.proofs.podr2 import Challenge, Claim, PublicKey, Scheme, SecretKey

if TYPE_CHECKING:
    from collections.abc import Callable

MIB_PER_FRAGMENT: Final = podr2.FRAGMENT_LEN / (1 << 20)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """A key, a fragment with its tags, a challenge and its answer."""

    key: SecretKey
    verifier: PublicKey | SecretKey
    fragment: bytes
    digest: bytes
    tags: bytes
    challenge: Challenge
    proof: bytes

    @classmethod
    def make(cls, scheme: Scheme) -> Scene:
        """Set it all up, with 300 blocks asked for."""
        key, fragment = podr2.keygen(scheme), os.urandom(podr2.FRAGMENT_LEN)
        digest = sha256(fragment).digest()
        tags = podr2.tag(key, fragment, digest=digest)
        challenge = Challenge.from_seed(digest)
        return cls(
            key=key,
            verifier=key.public_key() if scheme is Scheme.PUBLIC else key,
            fragment=fragment,
            digest=digest,
            tags=tags,
            challenge=challenge,
            proof=podr2.prove(fragment, tags, challenge),
        )

    def tag(self, threads: int) -> None:
        """Tag the fragment, whose digest is known from elsewhere."""
        podr2.tag(self.key, self.fragment, digest=self.digest, threads=threads)

    def prove(self, threads: int) -> None:
        """Answer."""
        podr2.prove(self.fragment, self.tags, self.challenge, threads=threads)

    def verify(self, threads: int) -> None:
        """Check the answer."""
        told = podr2.verify(self.verifier, self.digest, self.challenge, self.proof, threads=threads)
        assert told, "the bench's own proof is right"

    def accept(self, threads: int) -> None:
        """Check all tags, as a storage node does when it gets them."""
        assert isinstance(self.verifier, PublicKey), "only public tags can be checked"
        told = podr2.accepts_tags(
            self.verifier, self.fragment, self.tags, digest=self.digest, threads=threads
        )
        assert told, "the bench's own tags are right"


def claims(count: int) -> list[Claim]:
    """Return true claims of one owner about as many fragments, each with a challenge of its own."""
    key = podr2.keygen(Scheme.PUBLIC)
    public = key.public_key()
    return [_claim(key, public) for _ in range(count)]


def _claim(key: SecretKey, public: PublicKey) -> Claim:
    fragment = os.urandom(podr2.FRAGMENT_LEN)
    digest = sha256(fragment).digest()
    tags = podr2.tag(key, fragment, digest=digest, threads=2)
    challenge = Challenge.from_seed(digest)
    proof = podr2.prove(fragment, tags, challenge, threads=2)
    return Claim(key=public, digest=digest, challenge=challenge, proof=proof)


def one_by_one(made: list[Claim], threads: int) -> None:
    """Verify each claim by itself."""
    for claim in made:
        told = podr2.verify(claim.key, claim.digest, claim.challenge, claim.proof, threads=threads)
        assert told, "the bench's own proofs are right"


def together(made: list[Claim], threads: int) -> None:
    """Verify all claims in one batch."""
    assert all(podr2.verify_batch(made, threads=threads)), "the bench's own proofs are right"


def shortest(seconds: float, work: Callable[[], None]) -> float:
    """Return how long the fastest run took among those that fit into so many seconds, three at least."""
    runs: list[float] = []
    while len(runs) < 3 or sum(runs) < seconds:
        start = time.perf_counter()
        work()
        runs.append(time.perf_counter() - start)
    return min(runs)
