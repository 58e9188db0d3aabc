"""Organisations, patients and encryption keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain.port import EncryptionKey, Organisation, Patient
from caregrid.chain.values.plain import to_account, to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping


def to_organisation(account: bytes, value: Mapping[str, Any]) -> Organisation:
    """Return an organisation from `Emr.Organisations`."""
    return Organisation(
        account=account,
        operators=frozenset(map(to_account, value["operators"])),
        emergency=frozenset(map(to_account, value["emergency"])),
        tombstones=value["tombstones"],
    )


def to_patient(patient_id: bytes, value: Mapping[str, Any]) -> Patient:
    """Return a patient from `Emr.Patients`."""
    offered_to = value["offered_to"]
    return Patient(
        patient_id=patient_id,
        organisation=to_account(value["organisation"]),
        controller=to_account(value["controller"]),
        offered_to=None if offered_to is None else to_account(offered_to),
    )


def to_encryption_key(account: bytes, value: Mapping[str, Any]) -> EncryptionKey:
    """Return a key from `Emr.EncryptionKeys`."""
    return EncryptionKey(account=account, public_key=to_bytes(value["public"]), version=value["version"])
