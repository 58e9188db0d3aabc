"""What custodians report of their objects, on every chain adapter."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from caregrid.chain import (
    AuditOutcome,
    Call,
    HealthReport,
    Integrity,
    IntegrityReport,
    ProofCommitment,
    ProofScheme,
    StorageHealth,
    calls,
)
from tests.contract.chain_world import ONE_LOOP, covers, emr, new_id

if TYPE_CHECKING:
    from caregrid.chain import Event
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP


async def anchored_object(world: World) -> tuple[bytes, int]:
    """Return an object of the hospital that nothing was reported of, and the block it was anchored in."""
    stored = await world.chain.stored_object(world.kept().object_id)
    assert stored is not None
    return stored.entry.object_id, stored.stored_at


def integrity_of(object_id: bytes, challenged_at: int, scheme: ProofScheme) -> IntegrityReport:
    """Return a report of a passed challenge."""
    return IntegrityReport(
        object_id=object_id,
        scheme=scheme,
        outcome=AuditOutcome.PASSED,
        challenged_at=challenged_at,
        proof_digest=new_id(),
    )


def rejected(object_id: bytes, reason: str) -> Event:
    """Return what the chain reports of a report that was left out."""
    return emr("ReportRejected", object=object_id, reason=reason)


@covers(
    "Emr",
    made="report_storage_health",
    reported="StorageHealthReported ReportRejected",
    refused="ObjectUnknown ObjectForeign BatchEmpty NotOperator OrganisationUnknown",
)
async def test_storage_health_is_reported(world: World) -> None:
    """The last report stands; one on no object, or on somebody else's, is left out."""
    hospital, clinic = world.account("hospital"), world.account("clinic")
    object_id, _ = await anchored_object(world)
    report = HealthReport(object_id=object_id, health=750_000, replicas=2, nodes=9)
    unknown = replace(report, object_id=new_id())
    call = calls.report_storage_health(hospital, [report, unknown, replace(report, health=1_000_000)])
    told = {"object": object_id, "custodian": hospital, "replicas": 2, "nodes": 9}
    [receipt] = await world.outcomes("operator", call)
    assert not isinstance(receipt, Exception)
    assert [
        emr("StorageHealthReported", **told, health=750_000),
        rejected(unknown.object_id, "ObjectUnknown"),
        emr("StorageHealthReported", **told, health=1_000_000),
    ] == world.own(receipt)
    stored = await world.chain.stored_object(object_id)
    assert stored is not None
    reported_at = receipt.block.number
    assert stored.health == StorageHealth(health=1_000_000, replicas=2, nodes=9, reported_at=reported_at)

    assert [rejected(object_id, "ObjectForeign")] == await world.submit(
        "clinic", calls.report_storage_health(clinic, [report])
    )
    empty = Call(pallet="Emr", function=call.function, params={**call.params, "reports": []})
    assert ["Emr.BatchEmpty", "Emr.NotOperator", "Emr.OrganisationUnknown"] == await world.refused(
        ("operator", empty),
        ("stranger", calls.report_storage_health(hospital, [report])),
        ("stranger", calls.report_storage_health(new_id(), [report])),
    )


@covers(
    "Emr",
    made="commit_proof report_integrity",
    reported="ProofCommitted IntegrityReported ReportRejected",
    refused="ReportInvalid ObjectUnknown ObjectForeign",
)
async def test_challenges_are_reported(world: World) -> None:
    """A challenge counts when nobody could know it at the commitment, and it is not older than the last."""
    hospital, clinic, key, tags = world.account("hospital"), world.account("clinic"), new_id(96), new_id()
    object_id, stored_at = await anchored_object(world)
    scheme = ProofScheme.PUBLIC
    early = integrity_of(object_id, stored_at, scheme)
    receipt, refused = await world.outcomes(
        "operator",
        calls.commit_proof(hospital, object_id, key=key, tags=tags),
        calls.report_integrity(hospital, [early, replace(early, object_id=tags)]),
    )
    assert not isinstance(receipt, Exception)
    assert not isinstance(refused, Exception)
    assert [emr("ProofCommitted", object=object_id, custodian=hospital, tags=tags)] == world.own(receipt)
    assert [rejected(object_id, "ReportInvalid"), rejected(tags, "ObjectUnknown")] == world.own(refused)

    committed_at = receipt.block.number
    await world.reach(committed_at + 3)
    good = integrity_of(object_id, committed_at + 2, scheme)
    older, future = replace(good, challenged_at=committed_at + 1), replace(good, challenged_at=1 << 31)
    failed = replace(good, outcome=AuditOutcome.FAILED)
    [told] = await world.outcomes("operator", calls.report_integrity(hospital, [good, older, future, failed]))
    assert not isinstance(told, Exception)
    report = {
        "object": object_id,
        "custodian": hospital,
        "scheme": scheme.value,
        "challenged_at": committed_at + 2,
        "proof_digest": good.proof_digest,
    }
    assert [
        emr("IntegrityReported", **report, outcome="Passed"),
        rejected(object_id, "ReportInvalid"),
        rejected(object_id, "ReportInvalid"),
        emr("IntegrityReported", **report, outcome="Failed"),
    ] == world.own(told)
    stored = await world.chain.stored_object(object_id)
    assert stored is not None
    assert stored.proof == ProofCommitment(key=key, tags=tags, committed_at=committed_at)
    assert stored.integrity == Integrity(
        scheme=scheme,
        outcome=AuditOutcome.FAILED,
        challenged_at=good.challenged_at,
        proof_digest=good.proof_digest,
        reported_at=told.block.number,
    )
    assert [rejected(object_id, "ObjectForeign")] == await world.submit(
        "clinic", calls.report_integrity(clinic, [good])
    )


@covers(
    "Emr",
    refused="ObjectUnknown ObjectForeign ReportInvalid NotOperator OrganisationUnknown BatchEmpty",
)
async def test_refusals_about_proofs(world: World) -> None:
    """A commitment needs an object of one's own; a publicly verifiable proof needs a commitment."""
    hospital, clinic, tags = world.account("hospital"), world.account("clinic"), new_id()
    object_id, stored_at = await anchored_object(world)
    await world.reach(stored_at + 2)
    public = integrity_of(object_id, stored_at + 1, ProofScheme.PUBLIC)
    private = replace(public, scheme=ProofScheme.PRIVATE)
    refused, taken = await world.submit("operator", calls.report_integrity(hospital, [public, private]))
    assert rejected(object_id, "ReportInvalid") == refused
    assert ("IntegrityReported", "Private") == (taken.name, taken.fields["scheme"])
    empty = Call(
        pallet="Emr",
        function="report_integrity",
        params={**calls.report_integrity(hospital, [public]).params, "reports": []},
    )
    assert [
        "Emr.ObjectUnknown",
        "Emr.BatchEmpty",
        "Emr.ObjectForeign",
        "Emr.NotOperator",
        "Emr.NotOperator",
        "Emr.OrganisationUnknown",
    ] == await world.refused(
        ("operator", calls.commit_proof(hospital, tags, key=bytes(96), tags=tags)),
        ("operator", empty),
        ("clinic", calls.commit_proof(clinic, object_id, key=bytes(96), tags=tags)),
        ("stranger", calls.commit_proof(hospital, object_id, key=bytes(96), tags=tags)),
        ("stranger", calls.report_integrity(hospital, [public])),
        ("stranger", calls.report_integrity(new_id(), [public])),
    )
