"""The verdict on a proof bundle, found anew from the chain by somebody who trusts nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.auditing import rounds
from caregrid.errors import ChallengeMismatch, ProofFailed, ProofMissing
from caregrid.proofs.verdict import Finding, judge

if TYPE_CHECKING:
    from caregrid.chain.port import Chain
    from caregrid.proofs.bundle import Bundle
    from caregrid.proofs.schedule import Terms
    from caregrid.proofs.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What a bundle shows, and how it stands to the chain."""

    verdict: Verdict
    custodian: bytes
    finalized: int  #: height of the last finalized block
    reported: bool  #: the custodian's last report names exactly this bundle

    def require_passed(self) -> None:
        """Refuse anything but a right answer from every node.

        Raises:
            ProofFailed: an answer is wrong.
            ProofMissing: there is none.
        """
        named = {kind: self._numbers(kind) for kind in Finding}
        wrong = named[Finding.FAILED]
        if wrong:
            raise ProofFailed(f"wrong proofs for fragments {wrong}: nodes do not hold what was committed to")
        if self.verdict.worst is not Finding.PASSED:
            silent = [number for kind in Finding if kind is not Finding.PASSED for number in named[kind]]
            raise ProofMissing(f"no proof for fragments {sorted(silent)}: the nodes have not answered")

    def _numbers(self, kind: Finding) -> list[int]:
        return sorted(number for number, found in self.verdict.findings.items() if found is kind)


async def verify_bundle(
    chain: Chain,
    bundle: Bundle,
    terms: Terms,
    *,
    object_id: bytes | None = None,
    height: int | None = None,
    threads: int = 1,
) -> Verified:
    """Find the verdict on a bundle.

    Args:
        chain: a node that the verifier trusts.
        bundle: anything that reads as one.
        terms: what was to be asked.
        object_id: the object that the bundle is to be of; by default it says so itself.
        height: the round that it is to be of, so that a custodian cannot choose one; likewise.
        threads: used for the arithmetic.

    Raises:
        ObjectUnknown: the chain knows no such object.
        CommitmentUnknown: nothing was committed to for it.
        ChallengeEarly: the round's blocks are not final on this node.
        ChallengeMismatch: it is of another object or round, or does not follow from the chain.
        CommitmentMismatch: key, fragments or tags are not those committed to.
    """
    if object_id is not None and bundle.object_id != object_id:
        raise ChallengeMismatch("the bundle is of another object")
    if height is not None and bundle.height != height:
        raise ChallengeMismatch(f"the bundle is of round {bundle.height}, not of round {height}")
    known = await rounds.committed(chain, bundle.object_id)
    beacon = await rounds.beacon_at(chain, known, bundle.height)
    verdict = await asyncio.to_thread(judge, bundle, known.facts(beacon), terms, threads=threads)
    last = known.integrity
    return Verified(
        verdict=verdict,
        custodian=known.custodian,
        finalized=known.finalized,
        reported=last is not None and last.proof_digest == bundle.digest(),
    )
