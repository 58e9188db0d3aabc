"""What the chain says about a round: read from its finalized blocks, by whoever wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.errors import CommitmentUnknown, ObjectUnknown, ProtocolViolation
from caregrid.proofs import schedule
from caregrid.proofs.beacon import Beacon
from caregrid.proofs.podr2 import MIXED_BLOCKS
from caregrid.proofs.verdict import Facts

if TYPE_CHECKING:
    from caregrid.chain.port import Chain, Integrity, ProofCommitment


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """An object with a commitment to its proofs, as it stands on the chain."""

    object_id: bytes
    size: int
    custodian: bytes
    proof: ProofCommitment
    integrity: Integrity | None
    genesis_hash: bytes
    finalized: int  #: height of the last finalized block

    def facts(self, beacon: Beacon) -> Facts:
        """Return what a bundle of the beacon's round is held against."""
        return Facts(
            genesis_hash=self.genesis_hash,
            object_id=self.object_id,
            object_size=self.size,
            point=self.proof.key,
            commitment=self.proof.tags,
            committed_at=self.proof.committed_at,
            block_hashes=beacon.block_hashes,
        )


async def committed(chain: Chain, object_id: bytes) -> Committed:
    """Return what the chain says of an object that proofs can be asked of.

    Raises:
        ObjectUnknown: no object has this id.
        CommitmentUnknown: nothing was committed to for it.
    """
    stored = await chain.stored_object(object_id)
    if stored is None:
        raise ObjectUnknown("the chain knows no object with this id; check the id")
    if stored.proof is None:
        raise CommitmentUnknown
    genesis = await chain.block(0)
    if genesis is None:
        raise ProtocolViolation("the chain's node does not know its first block")
    head = await chain.finalized_head()
    return Committed(
        object_id=object_id,
        size=stored.entry.size,
        custodian=stored.custodian,
        proof=stored.proof,
        integrity=stored.integrity,
        genesis_hash=genesis.hash,
        finalized=head.number,
    )


async def beacon_at(chain: Chain, known: Committed, height: int | None = None) -> Beacon:
    """Return a round's blocks; those of the last round where no height is given.

    Raises:
        ChallengeEarly: they are not all final yet.
        ChallengeMismatch: the height is no round.
    """
    committed_at = known.proof.committed_at
    if height is None:
        height = schedule.last_round(committed_at, known.finalized)
    schedule.require_round(height, committed_at)
    return Beacon(
        genesis_hash=known.genesis_hash,
        object_id=known.object_id,
        committed_at=committed_at,
        height=height,
        block_hashes=await _hashes(chain, height),
    )


async def _hashes(chain: Chain, height: int) -> tuple[bytes, ...]:
    first = schedule.first_mixed(height)
    # The last one first: when it is not final, the others need not be asked for.
    found = {}
    for number in (height, *range(first, height)):
        block = await chain.block(number)
        if block is None:
            raise schedule.not_final(height)
        found[number] = block.hash
    return tuple(found[number] for number in range(first, first + MIXED_BLOCKS))
