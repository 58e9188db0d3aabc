"""Calls are checked before anything is signed."""

from __future__ import annotations

import inspect
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from caregrid.chain import (
    AuditOutcome,
    Call,
    Escrowed,
    ExpirableGrant,
    ExpirableRequest,
    HealthReport,
    Inline,
    IntegrityReport,
    KeyDelivery,
    PatientScope,
    Pending,
    ProofScheme,
    RecordScope,
    calls,
)
from caregrid.errors import InputInvalid
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat

if TYPE_CHECKING:
    from collections.abc import Callable

A, B = b"a" * 32, b"b" * 32
RECORD, PATIENT, OBJECT, DIGEST = b"r" * 16, b"p" * 32, b"o" * 32, b"d" * 32
SCOPE = RecordScope(record_id=RECORD)
ENTRY = ObjectEntry(object_id=OBJECT, size=10, record_count=1, manifest_root=DIGEST)
NETS = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
ITEM = RecordEntry(
    record_id=RECORD, patient_id=PATIENT, offset=0, length=1, digest=DIGEST, format=RecordFormat.DICOM
)
HEALTH = HealthReport(object_id=OBJECT, health=1_000_000, replicas=3, nodes=12)
INTEGRITY = IntegrityReport(
    object_id=OBJECT,
    scheme=ProofScheme.PUBLIC,
    outcome=AuditOutcome.PASSED,
    challenged_at=7,
    proof_digest=DIGEST,
)


def accounts(count: int) -> list[bytes]:
    """Return as many different accounts."""
    return [number.to_bytes(32, "big") for number in range(count)]


def delivery(key: Inline | Escrowed) -> KeyDelivery:
    """Return a delivery of a key."""
    return KeyDelivery(scope=SCOPE, grantee=A, key=key)


def granted(key: Inline | Escrowed | Pending, **changes: object) -> Call:
    """Return a grant of a key."""
    terms = {"expires_at": 9, "purpose": "Research", **changes}
    return calls.grant_access(SCOPE, A, key=key, **terms)  # type: ignore[arg-type] # wrong ones too


GOOD: list[Callable[[], Call]] = [
    lambda: calls.register_organisation([]),
    lambda: calls.set_operators(accounts(32)),
    lambda: calls.set_emergency_members(accounts(32)),
    lambda: calls.register_patient(A, PATIENT),
    lambda: calls.register_patients(A, [(PATIENT, None), (PATIENT, B)] * 64),
    lambda: calls.offer_patient(PATIENT, A),
    lambda: calls.claim_patient(PATIENT),
    lambda: calls.set_encryption_key(bytes(1216)),
    lambda: calls.store_emr(A, ENTRY, ITEM),
    lambda: calls.store_emr_batch(A, ENTRY, [ITEM] * 128),
    lambda: calls.move_records(A, ENTRY, [ITEM] * 128),
    lambda: calls.erase_record(A, RECORD),
    lambda: calls.request_access(RECORD, purpose="Treatment", expires_at=9),
    lambda: calls.deny_request(RECORD, A),
    lambda: granted(Inline(wrapped=bytes(1168), key_version=1)),
    lambda: calls.revoke_access(PatientScope(patient_id=PATIENT), A),
    lambda: calls.deliver_keys(A, [delivery(Escrowed(digest=DIGEST, key_version=1))]),
    lambda: calls.open_emergency_access(SCOPE, "MassCasualty"),
    lambda: calls.purge_expired(
        [ExpirableGrant(scope=SCOPE, grantee=A), ExpirableRequest(record_id=RECORD, requester=A)]
    ),
    lambda: calls.commit_proof(A, OBJECT, key=bytes(96), tags=DIGEST),
    lambda: calls.report_storage_health(A, [HEALTH]),
    lambda: calls.report_integrity(A, [INTEGRITY]),
    lambda: calls.block_ip(A, NETS[0], reason="Scanning", expires_at=9),
    lambda: calls.unblock_ip(A, NETS[1]),
    lambda: calls.cleanup_expired_blocks(128),
    lambda: calls.register_signature(A, RECORD, format="Yara", severity="Low", pattern=bytes(2048)),
    lambda: calls.retire_signature(A, RECORD),
    lambda: calls.transfer(A, 1),
    lambda: calls.batch_all([calls.claim_patient(PATIENT)]),
    lambda: calls.add_proxy(A),
    lambda: calls.remove_proxy(A, "Any"),
    lambda: calls.proxy(A, calls.claim_patient(PATIENT)),
]


def test_every_builder_builds_its_call() -> None:
    """At its bounds, each builder returns the call of its name, and none is forgotten here."""
    built = [make().function for make in GOOD]
    builders = [name for name in calls.__all__ if inspect.isfunction(getattr(calls, name))]
    assert sorted(builders) == sorted("transfer" if name == "transfer_keep_alive" else name for name in built)


BAD: list[tuple[str, Callable[[], Call]]] = [
    ("at most 32 accounts, not 33", lambda: calls.register_organisation(accounts(33))),
    ("at most 32 accounts", lambda: calls.set_operators(accounts(33))),
    ("each account once", lambda: calls.set_operators([A, B, A])),
    ("operators must be 32 bytes, not 31", lambda: calls.set_operators([A[:31]])),
    ("members may name at most 32", lambda: calls.set_emergency_members(accounts(33))),
    ("patient_id must be 32 bytes, not 0", lambda: calls.register_patient(A, b"")),
    ("organisation must be 32 bytes", lambda: calls.register_patient(A + A, PATIENT)),
    ("controller must be 32 bytes", lambda: calls.register_patient(A, PATIENT, b"")),
    ("1 to 128 patients, not 0", lambda: calls.register_patients(A, [])),
    ("1 to 128 patients, not 129", lambda: calls.register_patients(A, [(PATIENT, None)] * 129)),
    ("to must be 32 bytes", lambda: calls.offer_patient(PATIENT, RECORD)),
    ("patient_id must be 32 bytes", lambda: calls.claim_patient(RECORD)),
    ("public_key must be 1216 bytes", lambda: calls.set_encryption_key(bytes(1215))),
    ("organisation must be 32 bytes", lambda: calls.store_emr(RECORD, ENTRY, ITEM)),
    ("1 to 128 records, not 0", lambda: calls.store_emr_batch(A, ENTRY, [])),
    ("1 to 128 records, not 129", lambda: calls.store_emr_batch(A, ENTRY, [ITEM] * 129)),
    ("organisation must be 32 bytes", lambda: calls.move_records(RECORD, ENTRY, [ITEM])),
    ("1 to 128 records, not 0", lambda: calls.move_records(A, ENTRY, [])),
    ("1 to 128 records, not 129", lambda: calls.move_records(A, ENTRY, [ITEM] * 129)),
    ("record_id must be 16 bytes", lambda: calls.erase_record(A, PATIENT)),
    ("purpose must be one of", lambda: calls.request_access(RECORD, purpose="Fun", expires_at=9)),
    (
        "expires_at must be a number",
        lambda: calls.request_access(RECORD, purpose="Treatment", expires_at=-1),
    ),
    ("requester must be 32 bytes", lambda: calls.deny_request(RECORD, RECORD)),
    ("wrapped must be 1168 bytes", lambda: granted(Inline(wrapped=bytes(1169), key_version=1))),
    ("digest must be 32 bytes", lambda: granted(Escrowed(digest=b"", key_version=1))),
    ("key_version must be a number", lambda: granted(Escrowed(digest=DIGEST, key_version=1 << 32))),
    ("purpose must be one of", lambda: granted(Pending(), purpose="treatment")),
    ("expires_at must be a number", lambda: granted(Pending(), expires_at=1 << 32)),
    ("patient_id must be 32", lambda: calls.revoke_access(PatientScope(patient_id=RECORD), A)),
    ("1 to 128 keys, not 0", lambda: calls.deliver_keys(A, [])),
    (
        "wrapped must be 1168 bytes, not 1167",
        lambda: calls.deliver_keys(A, [delivery(Inline(wrapped=bytes(1167), key_version=1))]),
    ),
    ("reason must be one of", lambda: calls.open_emergency_access(SCOPE, "Curiosity")),
    ("1 to 128 items, not 0", lambda: calls.purge_expired([])),
    (
        "1 to 128 items, not 129",
        lambda: calls.purge_expired([ExpirableGrant(scope=SCOPE, grantee=A)] * 129),
    ),
    ("key must be 96 bytes", lambda: calls.commit_proof(A, OBJECT, key=bytes(95), tags=DIGEST)),
    ("tags must be 32 bytes", lambda: calls.commit_proof(A, OBJECT, key=bytes(96), tags=b"")),
    ("1 to 128 reports, not 129", lambda: calls.report_storage_health(A, [HEALTH] * 129)),
    (
        "parts of a million",
        lambda: calls.report_storage_health(
            A, [HealthReport(object_id=OBJECT, health=1_000_001, replicas=1, nodes=1)]
        ),
    ),
    (
        "replicas must be a number that fits into 16",
        lambda: calls.report_storage_health(
            A, [HealthReport(object_id=OBJECT, health=0, replicas=1 << 16, nodes=1)]
        ),
    ),
    ("1 to 128 reports, not 0", lambda: calls.report_integrity(A, [])),
    ("reason must be one of", lambda: calls.block_ip(A, NETS[0], reason="", expires_at=9)),
    ("organisation must be 32 bytes", lambda: calls.unblock_ip(b"", NETS[0])),
    ("limit must be 1 to 128", lambda: calls.cleanup_expired_blocks(0)),
    ("limit must be 1 to 128", lambda: calls.cleanup_expired_blocks(129)),
    (
        "1 to 2048 bytes long, not 2049",
        lambda: calls.register_signature(A, RECORD, format="Yara", severity="Low", pattern=bytes(2049)),
    ),
    (
        "1 to 2048 bytes long, not 0",
        lambda: calls.register_signature(A, RECORD, format="Yara", severity="Low", pattern=b""),
    ),
    ("signature_id must be 16", lambda: calls.retire_signature(A, PATIENT)),
    ("target must be 32 bytes", lambda: calls.transfer(RECORD, 1)),
    ("plancks must be a number", lambda: calls.transfer(A, -1)),
    ("at least one call", lambda: calls.batch_all([])),
    ("kind must be one of", lambda: calls.add_proxy(A, "Governance")),
]


@pytest.mark.parametrize(("message", "make"), BAD)
def test_bad_input_is_refused_before_signing(message: str, make: Callable[[], Call]) -> None:
    """Wrong lengths, empty and over-long lists, repetitions and unknown names are typed errors."""
    with pytest.raises(InputInvalid, match=message):
        make()
