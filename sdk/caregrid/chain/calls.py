"""Intents: every call that CareGrid makes, ready to be signed.

Accounts are 32 raw bytes, everything else as in :mod:`caregrid.records`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.port import Call, Escrowed, Inline, KeyState, RecordScope, Scope
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from caregrid.records import ObjectEntry, RecordEntry

#: Records in one `store_emr_batch`; the runtime's `MaxBatch`.
MAX_BATCH: Final = 128

#: HL7 PurposeOfUse as the runtime spells it.
PURPOSES: Final = (
    "Treatment",
    "Payment",
    "Operations",
    "Research",
    "PublicHealth",
    "EmergencyTreatment",
    "PatientRequest",
)

FORMAT_NAMES: Final = {
    RecordFormat.FHIR_R4_JSON: "FhirR4Json",
    RecordFormat.FHIR_R4B_JSON: "FhirR4bJson",
    RecordFormat.FHIR_R5_JSON: "FhirR5Json",
    RecordFormat.DICOM: "Dicom",
    RecordFormat.BINARY: "Binary",
}


def register_organisation(operators: Iterable[bytes]) -> Call:
    """Make the signer an organisation with these operators."""
    return Call(
        pallet="Emr",
        function="register_organisation",
        params={"operators": [_hex(account) for account in operators]},
    )


def set_operators(operators: Iterable[bytes]) -> Call:
    """Replace the operators of the signer's organisation."""
    return Call(
        pallet="Emr",
        function="set_operators",
        params={"operators": [_hex(account) for account in operators]},
    )


def register_patient(organisation: bytes, patient_id: bytes, controller: bytes | None = None) -> Call:
    """Register a patient under a random id."""
    return Call(
        pallet="Emr",
        function="register_patient",
        params={
            "organisation": _hex(organisation),
            "patient": _hex(patient_id),
            "controller": None if controller is None else _hex(controller),
        },
    )


def set_encryption_key(public_key: bytes) -> Call:
    """Set the signer's encryption key."""
    return Call(pallet="Emr", function="set_encryption_key", params={"public": _hex(public_key)})


def store_emr_batch(organisation: bytes, entry: ObjectEntry, records: Sequence[RecordEntry]) -> Call:
    """Anchor up to `MAX_BATCH` records of one object; the chain leaves out those it cannot take."""
    if not 1 <= len(records) <= MAX_BATCH:
        raise ValueError(f"a batch holds 1 to {MAX_BATCH} records, not {len(records)}")
    return Call(
        pallet="Emr",
        function="store_emr_batch",
        params={
            "organisation": _hex(organisation),
            "object": _object(entry),
            "records": [_record(record) for record in records],
        },
    )


def store_emr(organisation: bytes, entry: ObjectEntry, record: RecordEntry) -> Call:
    """Anchor one record; fails as a whole when the chain cannot take it."""
    return Call(
        pallet="Emr",
        function="store_emr",
        params={"organisation": _hex(organisation), "object": _object(entry), "record": _record(record)},
    )


def grant_access(scope: Scope, grantee: bytes, *, expires_at: int, purpose: str, key: KeyState) -> Call:
    """Let `grantee` read until block `expires_at`, exclusively; an existing grant is replaced."""
    if purpose not in PURPOSES:
        raise ValueError(f"purpose must be one of {', '.join(PURPOSES)}")
    return Call(
        pallet="Emr",
        function="grant_access",
        params={
            "scope": scope_value(scope),
            "grantee": _hex(grantee),
            "expires_at": expires_at,
            "purpose": purpose,
            "key": _key_state(key),
        },
    )


def revoke_access(scope: Scope, grantee: bytes) -> Call:
    """Withdraw a grant."""
    return Call(
        pallet="Emr",
        function="revoke_access",
        params={"scope": scope_value(scope), "grantee": _hex(grantee)},
    )


def transfer(target: bytes, plancks: int) -> Call:
    """Transfer tokens, keeping the signer's account alive."""
    return Call(
        pallet="Balances",
        function="transfer_keep_alive",
        params={"dest": {"Id": _hex(target)}, "value": plancks},
    )


def batch_all(calls: Sequence[Call]) -> Call:
    """Make several calls at once, all of them or none."""
    inner = [
        {"call_module": call.pallet, "call_function": call.function, "call_args": dict(call.params)}
        for call in calls
    ]
    return Call(pallet="Utility", function="batch_all", params={"calls": inner})


def scope_value(scope: Scope) -> dict[str, str]:
    """Return a scope as the runtime's enum."""
    if isinstance(scope, RecordScope):
        return {"Record": _hex(scope.record_id)}
    return {"Patient": _hex(scope.patient_id)}


def _key_state(key: KeyState) -> str | dict[str, Any]:
    if isinstance(key, Inline):
        return {"Inline": {"wrapped": _hex(key.wrapped), "key_version": key.key_version}}
    if isinstance(key, Escrowed):
        return {"Escrowed": {"digest": _hex(key.digest), "key_version": key.key_version}}
    return "Pending"


def _object(entry: ObjectEntry) -> dict[str, Any]:
    return {
        "id": _hex(entry.object_id),
        "size": entry.size,
        "record_count": entry.record_count,
        "manifest_root": _hex(entry.manifest_root),
    }


def _record(record: RecordEntry) -> dict[str, Any]:
    return {
        "id": _hex(record.record_id),
        "patient": _hex(record.patient_id),
        "offset": record.offset,
        "length": record.length,
        "digest": _hex(record.digest),
        "format": FORMAT_NAMES[record.format],
    }


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
