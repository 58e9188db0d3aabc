"""What custodians report of their objects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from caregrid.chain.port import (
    AuditOutcome,
    Integrity,
    ProofCommitment,
    ProofScheme,
    StorageHealth,
)
from caregrid.chain.refusals import EmrRefusal, emr
from caregrid.testing.rules.parties import acting_for
from caregrid.testing.rules.state import emr_event, ensure, from_hex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from caregrid.chain.port import Event, StoredObject
    from caregrid.testing.rules.state import State


def commit_proof(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.commit_proof`."""
    custodian, object_id = acting_for(state, signer, params), from_hex(params["object"])
    stored = _object_of(state, custodian, object_id)
    tags = from_hex(params["tags"])
    proof = ProofCommitment(key=from_hex(params["key"]), tags=tags, committed_at=block)
    state.objects[object_id] = replace(stored, proof=proof)
    return [emr_event("ProofCommitted", object=object_id, custodian=custodian, tags=tags)]


def report_storage_health(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.report_storage_health`."""
    return _reported(state, signer, params, block, _note_health)


def report_integrity(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.report_integrity`."""
    return _reported(state, signer, params, block, _note_integrity)


def _reported(
    state: State,
    signer: bytes,
    params: Mapping[str, Any],
    block: int,
    note: Callable[[State, bytes, Mapping[str, Any], int], Event],
) -> list[Event]:
    custodian = acting_for(state, signer, params)
    ensure(params["reports"], "BatchEmpty")
    events = []
    for report in params["reports"]:
        try:
            events.append(note(state, custodian, report, block))
        except EmrRefusal as refused:
            fields = {"object": from_hex(report["object"]), "reason": refused.name}
            events.append(emr_event("ReportRejected", **fields))
    return events


def _note_health(state: State, custodian: bytes, report: Mapping[str, Any], block: int) -> Event:
    object_id = from_hex(report["object"])
    stored = _object_of(state, custodian, object_id)
    told = {name: report[name] for name in ("health", "replicas", "nodes")}
    state.objects[object_id] = replace(stored, health=StorageHealth(**told, reported_at=block))
    return emr_event("StorageHealthReported", object=object_id, custodian=custodian, **told)


def _note_integrity(state: State, custodian: bytes, report: Mapping[str, Any], block: int) -> Event:
    object_id = from_hex(report["object"])
    stored = _object_of(state, custodian, object_id)
    scheme, challenged_at = ProofScheme(report["scheme"]), report["challenged_at"]
    ensure(_is_timely(stored, scheme, challenged_at, block), "ReportInvalid")
    told = {
        "scheme": scheme,
        "outcome": AuditOutcome(report["outcome"]),
        "challenged_at": challenged_at,
        "proof_digest": from_hex(report["proof_digest"]),
    }
    state.objects[object_id] = replace(stored, integrity=Integrity(**told, reported_at=block))
    return emr_event("IntegrityReported", object=object_id, custodian=custodian, **told)


def _is_timely(stored: StoredObject, scheme: ProofScheme, challenged_at: int, block: int) -> bool:
    if scheme is ProofScheme.PUBLIC and stored.proof is None:
        return False
    committed_at = 0 if stored.proof is None else stored.proof.committed_at
    last = 0 if stored.integrity is None else stored.integrity.challenged_at
    return max(stored.stored_at, committed_at) < challenged_at < block and challenged_at >= last


def _object_of(state: State, custodian: bytes, object_id: bytes) -> StoredObject:
    stored = state.objects.get(object_id)
    if stored is None:
        raise emr.ObjectUnknown
    ensure(stored.custodian == custodian, "ObjectForeign")
    return stored
