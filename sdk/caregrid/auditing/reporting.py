"""What a custodian tells the chain: what he commits to, and what a round came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from caregrid.chain.calls import commit_proof
from caregrid.chain.port import AuditOutcome, IntegrityReport, ProofScheme
from caregrid.errors import CommitmentMismatch
from caregrid.proofs.bundle import POINT_LEN
from caregrid.proofs.verdict import Finding

if TYPE_CHECKING:
    from caregrid.chain.port import Call
    from caregrid.proofs.bundle import Bundle
    from caregrid.proofs.podr2 import PublicKey
    from caregrid.proofs.tag_list import TagList
    from caregrid.proofs.verdict import Verdict

_OUTCOMES: Final = {
    Finding.PASSED: AuditOutcome.PASSED,
    Finding.FAILED: AuditOutcome.FAILED,
    Finding.OFFLINE: AuditOutcome.OFFLINE,
    Finding.CONTAINED: AuditOutcome.CONTAINED,
    Finding.UNKNOWN: AuditOutcome.UNKNOWN,
}


def commit_call(organisation: bytes, tags: TagList, key: PublicKey) -> Call:
    """Return the call that commits to an object's tags under a key.

    Raises:
        CommitmentMismatch: the tags were made with another key.
    """
    if tags.key_digest != key.digest:
        raise CommitmentMismatch("the list of tags was made with another key")
    point = key.encoded[1 : 1 + POINT_LEN]
    return commit_proof(organisation, tags.object_id, key=point, tags=tags.commitment())


def report_of(bundle: Bundle, verdict: Verdict) -> IntegrityReport:
    """Return the report of a round, which names its bundle."""
    return IntegrityReport(
        object_id=bundle.object_id,
        scheme=ProofScheme.PUBLIC,
        outcome=_OUTCOMES[verdict.worst],
        challenged_at=bundle.height,
        proof_digest=bundle.digest(),
    )
