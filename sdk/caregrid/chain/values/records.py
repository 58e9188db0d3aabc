"""Records, tombstones, and the objects that hold records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.calls import FORMAT_NAMES
from caregrid.chain.port import (
    AuditOutcome,
    Integrity,
    LiveRecord,
    ProofCommitment,
    ProofScheme,
    Record,
    RecordPage,
    RecordView,
    StorageHealth,
    StoredObject,
    Tombstone,
)
from caregrid.chain.values.plain import to_account, to_bytes
from caregrid.records import ObjectEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMATS: Final = {name: number for number, name in FORMAT_NAMES.items()}


def to_record(record_id: bytes, entry: Mapping[str, Any]) -> Record | None:
    """Return a record from `Emr.Records`, unless it was erased."""
    return _record(record_id, entry["Live"]) if "Live" in entry else None


def to_tombstone(record_id: bytes, entry: Mapping[str, Any]) -> Tombstone | None:
    """Return what `Emr.Records` holds of an erased record; None for a live one."""
    return _tombstone(record_id, entry["Erased"]) if "Erased" in entry else None


def to_record_view(record_id: bytes, view: Mapping[str, Any]) -> RecordView:
    """Return what `EmrApi.record` says."""
    if "Erased" in view:
        return _tombstone(record_id, view["Erased"])
    live = view["Live"]
    return LiveRecord(record=_record(record_id, live), custodian=to_account(live["custodian"]))


def to_record_page(page: Mapping[str, Any]) -> RecordPage:
    """Return a page of `EmrApi.records_of_patient`."""
    following = page["next"]
    return RecordPage(
        items=[to_bytes(item) for item in page["items"]],
        next=None if following is None else to_bytes(following),
    )


def to_object(object_id: bytes, value: Mapping[str, Any]) -> StoredObject:
    """Return an object from `Emr.Objects`."""
    entry = ObjectEntry(
        object_id=object_id,
        size=value["size"],
        record_count=value["record_count"],
        manifest_root=to_bytes(value["manifest_root"]),
    )
    return StoredObject(
        entry=entry,
        custodian=to_account(value["custodian"]),
        anchored_records=value["anchored"],
        erased_records=value["erased"],
        stored_at=value["stored_at"],
        proof=None if value["proof"] is None else _proof(value["proof"]),
        health=None if value["health"] is None else StorageHealth(**value["health"]),
        integrity=None if value["integrity"] is None else _integrity(value["integrity"]),
    )


def _record(record_id: bytes, value: Mapping[str, Any]) -> Record:
    return Record(
        record_id=record_id,
        patient_id=to_bytes(value["patient"]),
        object_id=to_bytes(value["object"]),
        offset=value["offset"],
        length=value["length"],
        digest=to_bytes(value["digest"]),
        format=_FORMATS[value["format"]],
        anchored_at=value["anchored_at"],
    )


def _tombstone(record_id: bytes, value: Mapping[str, Any]) -> Tombstone:
    custodian = to_account(value["custodian"])
    return Tombstone(record_id=record_id, custodian=custodian, erased_at=value["erased_at"])


def _proof(value: Mapping[str, Any]) -> ProofCommitment:
    return ProofCommitment(
        key=to_bytes(value["key"]), tags=to_bytes(value["tags"]), committed_at=value["committed_at"]
    )


def _integrity(value: Mapping[str, Any]) -> Integrity:
    return Integrity(
        scheme=ProofScheme(value["scheme"]),
        outcome=AuditOutcome(value["outcome"]),
        challenged_at=value["challenged_at"],
        proof_digest=to_bytes(value["proof_digest"]),
        reported_at=value["reported_at"],
    )
