"""What the chain knows of a miner's proofs (the pallet `Audit`), in the words of our own audits.

A miner proves all fragments that it holds at once, to the chain. So a verdict is the miner's: a failed one
does not say which fragment is damaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.cess import scale
from caregrid.cess.miners import BLOOM_FILTER_LEN, SIGNATURE_LEN, skip_space_proof
from caregrid.chain.port import AuditOutcome

if TYPE_CHECKING:
    from caregrid.cess.files import CessFragment
    from caregrid.cess.miners import Miner
    from caregrid.cess.scale import Cursor

PALLET: Final = "Audit"

_MAX_CHALLENGED: Final = 1_024
_RANDOM_LEN: Final = 20
_SPACE_CHALLENGE_LEN: Final = 8 * 8
_KEY_LEN: Final = 32
_MAX_IDLE_PROOF: Final = 256
_MAX_SERVICE_PROOF: Final = 2_048
_IN_A_ROW: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceProof:
    """A miner's answer for the fragments that it holds."""

    verdict: bool | None  #: None while no worker of the chain's has verified it


@dataclass(frozen=True, kw_only=True, slots=True)
class CessChallenge:
    """An open challenge; all of these are block numbers."""

    start: int
    idle_deadline: int
    service_deadline: int  #: the last block that takes the service proof
    verification_deadline: int
    proof: ServiceProof | None

    @property
    def counted(self) -> int:
        """The block in which the chain counts a missing service proof."""
        return max(self.idle_deadline, self.service_deadline)


@dataclass(frozen=True, kw_only=True, slots=True)
class MinerAudit:
    """What the chain keeps of one miner's audits."""

    failed: int | None  #: service proofs in a row that were wrong; None when none was ever verified
    missed: int  #: service proofs that did not come, since both proofs last came
    challenge: CessChallenge | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditReading:
    """An outcome for one fragment, as far as the chain tells."""

    outcome: AuditOutcome
    covers: bool  #: it is of a challenge that began after the fragment was tagged, so it was asked for


def reading_of(fragment: CessFragment, miner: Miner | None, audit: MinerAudit, at: int) -> AuditReading:
    """Return what the chain's record, read at a block, says of a fragment.

    - failed: a proof for a challenge was verified as wrong, or the holder reported the fragment as lost;
    - offline: the miner has left or was put out, or did not answer several times in a row;
    - contained: it did not answer the last time; the chain will challenge it again, with other blocks;
    - passed: its proof was verified. Unless the reading covers the fragment, that was an earlier proof, and
      the chain does not keep of which fragments;
    - unknown: the fragment has no tag yet, a proof waits to be verified, or none ever was.
    """
    if not fragment.available:
        return AuditReading(outcome=AuditOutcome.FAILED, covers=True)
    if miner is None or not miner.state.holds:
        return AuditReading(outcome=AuditOutcome.OFFLINE, covers=True)
    if fragment.tag_block is None:
        return AuditReading(outcome=AuditOutcome.UNKNOWN, covers=False)
    challenge = audit.challenge
    if challenge is None or challenge.start < fragment.tag_block:
        return AuditReading(outcome=_of_earlier(audit), covers=False)
    return _of_challenge(audit, challenge, at)


def read_failed(cursor: Cursor) -> int:
    """Read a value of `CountedServiceFailed`."""
    return cursor.unsigned(4)


def read_missed(cursor: Cursor) -> int:
    """Read a value of `CountedClear`."""
    return cursor.unsigned(1)


def read_challenge(cursor: Cursor) -> CessChallenge:
    """Read a value of `ChallengeSnapShot`."""
    _skip_snapshot(cursor)
    start, idle, service, verification = (scale.block_number(cursor) for _ in range(4))
    _skip_questions(cursor)
    cursor.take(1)  # how often the verification was handed to another worker
    cursor.option(lambda inner: _verdict(inner, _MAX_IDLE_PROOF))
    return CessChallenge(
        start=start,
        idle_deadline=idle,
        service_deadline=service,
        verification_deadline=verification,
        proof=cursor.option(lambda inner: ServiceProof(verdict=_verdict(inner, _MAX_SERVICE_PROOF))),
    )


def _of_challenge(audit: MinerAudit, challenge: CessChallenge, at: int) -> AuditReading:
    if challenge.proof is not None:
        return AuditReading(outcome=_of_verdict(challenge.proof.verdict), covers=True)
    # What is not in the state after the last block that takes it will not come.
    if at < challenge.service_deadline:
        return AuditReading(outcome=_of_earlier(audit), covers=False)
    missed = audit.missed + (at < challenge.counted)
    return AuditReading(outcome=_of_silence(missed), covers=True)


def _of_verdict(verdict: bool | None) -> AuditOutcome:  # noqa: FBT001 - the verdict itself
    if verdict is None:
        return AuditOutcome.UNKNOWN
    return AuditOutcome.PASSED if verdict else AuditOutcome.FAILED


def _of_earlier(audit: MinerAudit) -> AuditOutcome:
    if audit.failed:
        return AuditOutcome.FAILED
    if audit.missed:
        return _of_silence(audit.missed)
    return AuditOutcome.UNKNOWN if audit.failed is None else AuditOutcome.PASSED


def _of_silence(missed: int) -> AuditOutcome:
    return AuditOutcome.OFFLINE if missed >= _IN_A_ROW else AuditOutcome.CONTAINED


def _skip_snapshot(cursor: Cursor) -> None:
    cursor.take(2 * 16 + BLOOM_FILTER_LEN)
    skip_space_proof(cursor)
    cursor.take(SIGNATURE_LEN)


def _skip_questions(cursor: Cursor) -> None:
    cursor.take(_SPACE_CHALLENGE_LEN)
    cursor.take(4 * cursor.length(_MAX_CHALLENGED))
    cursor.take(_RANDOM_LEN * cursor.length(_MAX_CHALLENGED))


def _verdict(cursor: Cursor, max_proof: int) -> bool | None:
    cursor.take(_KEY_LEN)
    cursor.vector(max_proof)
    return cursor.option(lambda inner: inner.boolean())
