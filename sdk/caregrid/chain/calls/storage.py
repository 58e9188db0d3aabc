"""What a custodian reports of his objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.calls import params
from caregrid.chain.port import FULL_HEALTH, AuditOutcome, Call, ProofScheme
from caregrid.errors import InputInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caregrid.chain.port import HealthReport, IntegrityReport

PROOF_KEY_LEN: Final = 96


def commit_proof(organisation: bytes, object_id: bytes, *, key: bytes, tags: bytes) -> Call:
    """Commit to what an object's proofs of storage are checked against; replaces an earlier one."""
    return Call(
        pallet="Emr",
        function="commit_proof",
        params={
            "organisation": params.account("organisation", organisation),
            "object": params.object_id(object_id),
            "key": params.fixed("key", key, PROOF_KEY_LEN),
            "tags": params.digest("tags", tags),
        },
    )


def report_storage_health(organisation: bytes, reports: Iterable[HealthReport]) -> Call:
    """Report how well up to `MAX_BATCH` objects are stored."""
    return Call(
        pallet="Emr",
        function="report_storage_health",
        params={
            "organisation": params.account("organisation", organisation),
            "reports": [_health(report) for report in params.batch("reports", reports)],
        },
    )


def report_integrity(organisation: bytes, reports: Iterable[IntegrityReport]) -> Call:
    """Report what came of up to `MAX_BATCH` challenges to storage nodes."""
    return Call(
        pallet="Emr",
        function="report_integrity",
        params={
            "organisation": params.account("organisation", organisation),
            "reports": [_integrity(report) for report in params.batch("reports", reports)],
        },
    )


def _health(report: HealthReport) -> dict[str, Any]:
    if not 0 <= report.health <= FULL_HEALTH:
        raise InputInvalid(f"health must be 0 to {FULL_HEALTH} parts of a million")
    return {
        "object": params.object_id(report.object_id),
        "health": report.health,
        "replicas": params.unsigned("replicas", report.replicas, 16),
        "nodes": params.unsigned("nodes", report.nodes, 16),
    }


def _integrity(report: IntegrityReport) -> dict[str, Any]:
    return {
        "object": params.object_id(report.object_id),
        "scheme": params.one_of("scheme", ProofScheme, report.scheme),
        "outcome": params.one_of("outcome", AuditOutcome, report.outcome),
        "challenged_at": params.block("challenged_at", report.challenged_at),
        "proof_digest": params.digest("proof_digest", report.proof_digest),
    }
