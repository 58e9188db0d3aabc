"""What a proof bundle shows, held against the chain's own facts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from caregrid.errors import ChallengeMismatch, CommitmentMismatch, InputInvalid
from caregrid.proofs.beacon import Beacon
from caregrid.proofs.bundle import Reply
from caregrid.proofs.podr2.batch import Claim, verify_batch
from caregrid.proofs.podr2.keys import PublicKey
from caregrid.proofs.tag_list import PER_SEGMENT, commitment_of_path

if TYPE_CHECKING:
    from caregrid.proofs.bundle import Answer, Bundle
    from caregrid.proofs.schedule import Terms

_SEGMENT_SIZE: Final = 32 * 1024 * 1024


class Finding(StrEnum):
    """What one answer, or all of them, came to; the worst last."""

    PASSED = "passed"
    UNKNOWN = "unknown"
    CONTAINED = "contained"
    OFFLINE = "offline"
    FAILED = "failed"  #: a proved wrong answer


_BY_REPLY: Final = {
    Reply.OFFLINE: Finding.OFFLINE,
    Reply.CONTAINED: Finding.CONTAINED,
    Reply.UNKNOWN: Finding.UNKNOWN,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the chain says; the verifier has read it himself."""

    genesis_hash: bytes
    object_id: bytes
    object_size: int  #: bytes
    point: bytes  #: of the owner's key, as committed
    commitment: bytes  #: to the tags
    committed_at: int
    block_hashes: tuple[bytes, ...]  #: of the bundle's round

    @property
    def tagged(self) -> int:
        """How many fragments the object has."""
        return fragments_of(self.object_size)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a bundle shows."""

    height: int
    findings: dict[int, Finding]  #: by the fragment's number

    @property
    def worst(self) -> Finding:
        """What it comes to."""
        order = list(Finding)
        return max(self.findings.values(), key=order.index)


def fragments_of(size: int) -> int:
    """Return how many fragments an object of this size has."""
    return PER_SEGMENT * -(-size // _SEGMENT_SIZE)


def judge(bundle: Bundle, facts: Facts, terms: Terms, *, threads: int = 1) -> Verdict:
    """Return what the bundle shows; it is refused where it does not fit the chain or the terms.

    Raises:
        ChallengeMismatch: chain, object, heights, hashes or what is asked are not what the chain gives.
        CommitmentMismatch: key, fragments or tags are not what was committed to on the chain.
        InputInvalid: the owner committed to what is no key.
    """
    _require_challenge(bundle, facts, terms)
    _require_commitment(bundle, facts)
    beacon = Beacon(
        genesis_hash=facts.genesis_hash,
        object_id=facts.object_id,
        committed_at=facts.committed_at,
        height=bundle.height,
        block_hashes=facts.block_hashes,
    )
    if beacon.selected(facts.tagged, terms) != tuple(each.number for each in bundle.answers):
        raise ChallengeMismatch("the bundle answers for other fragments than the chain asks for")
    return Verdict(height=bundle.height, findings=_findings(bundle, beacon, terms, threads))


def _require_challenge(bundle: Bundle, facts: Facts, terms: Terms) -> None:
    for what, told, known in (
        ("chain", bundle.genesis_hash, facts.genesis_hash),
        ("object", bundle.object_id, facts.object_id),
        ("height of the commitment", bundle.committed_at, facts.committed_at),
        ("number of fragments", bundle.tagged, facts.tagged),
        ("number of blocks asked for", bundle.blocks, terms.blocks),
        ("block hashes", bundle.block_hashes, facts.block_hashes),
    ):
        if told != known:
            raise ChallengeMismatch(
                f"the bundle is refused: its {what} is not what the chain and the terms say"
            )


def _require_commitment(bundle: Bundle, facts: Facts) -> None:
    if bundle.point != facts.point:
        raise CommitmentMismatch("the bundle's key is not the one that was committed to on the chain")
    key_digest = sha256(bundle.key).digest()
    for each in bundle.answers:
        found = commitment_of_path(
            facts.object_id, key_digest, facts.tagged, number=each.number, entry=each.entry, path=each.path
        )
        if found != facts.commitment:
            raise CommitmentMismatch(
                f"fragment {each.number} of the bundle, or its key, is not what was committed to on the chain"
            )


def _findings(bundle: Bundle, beacon: Beacon, terms: Terms, threads: int) -> dict[int, Finding]:
    proved = [each for each in bundle.answers if each.reply is Reply.PROVED]
    key = _key(bundle) if proved else None
    claims = [_claim(each, key, beacon, terms) for each in proved if key is not None]
    right = dict(zip((each.number for each in proved), verify_batch(claims, threads=threads), strict=True))
    return {each.number: _finding(each, right) for each in bundle.answers}


def _finding(answer: Answer, right: dict[int, bool]) -> Finding:
    if answer.reply is not Reply.PROVED:
        return _BY_REPLY[answer.reply]
    return Finding.PASSED if right[answer.number] else Finding.FAILED


def _claim(answer: Answer, key: PublicKey, beacon: Beacon, terms: Terms) -> Claim:
    digest = answer.entry.digest
    return Claim(key=key, digest=digest, challenge=beacon.challenge(digest, terms), proof=answer.proof)


def _key(bundle: Bundle) -> PublicKey:
    try:
        return PublicKey(bundle.key)
    except InputInvalid as exc:
        raise InputInvalid("what the owner committed to is no key; nothing can be proved with it") from exc
