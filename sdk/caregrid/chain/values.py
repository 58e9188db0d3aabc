"""From substrate-interface's decoded values to the port's values, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain.calls import FORMAT_NAMES
from caregrid.chain.port import (
    EncryptionKey,
    Escrowed,
    Event,
    Grant,
    Inline,
    KeyState,
    Organisation,
    Patient,
    Pending,
    Record,
    Scope,
    StoredObject,
)
from caregrid.errors import ProtocolViolation
from caregrid.records import ObjectEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMATS = {name: number for number, name in FORMAT_NAMES.items()}
#: A 32-byte account in SS58 with prefix 42 is 47 or 48 characters.
_SS58_LENGTHS = (47, 48)


def to_bytes(value: str) -> bytes:
    """Return what the library decoded as hex, or as text where a byte string happened to be UTF-8."""
    return bytes.fromhex(value[2:]) if value.startswith("0x") else value.encode()


def to_account(value: str) -> bytes:
    """Return an account from hex or SS58."""
    from scalecodec.utils.ss58 import ss58_decode  # noqa: PLC0415 - only with the adapter

    return bytes.fromhex(value[2:] if value.startswith("0x") else ss58_decode(value))


def to_record(record_id: bytes, value: Mapping[str, Any]) -> Record:
    """Return a record from `Emr.Records`."""
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


def to_object(object_id: bytes, value: Mapping[str, Any]) -> StoredObject:
    """Return an object from `Emr.Objects`."""
    entry = ObjectEntry(
        object_id=object_id,
        size=value["size"],
        record_count=value["record_count"],
        manifest_root=to_bytes(value["manifest_root"]),
    )
    return StoredObject(
        entry=entry, custodian=to_account(value["custodian"]), anchored_records=value["anchored"]
    )


def to_organisation(account: bytes, value: Mapping[str, Any]) -> Organisation:
    """Return an organisation from `Emr.Organisations`."""
    return Organisation(account=account, operators=frozenset(map(to_account, value["operators"])))


def to_patient(patient_id: bytes, value: Mapping[str, Any]) -> Patient:
    """Return a patient from `Emr.Patients`."""
    return Patient(
        patient_id=patient_id,
        organisation=to_account(value["organisation"]),
        controller=to_account(value["controller"]),
    )


def to_encryption_key(account: bytes, value: Mapping[str, Any]) -> EncryptionKey:
    """Return a key from `Emr.EncryptionKeys`."""
    return EncryptionKey(account=account, public_key=to_bytes(value["public"]), version=value["version"])


def to_grant(scope: Scope, grantee: bytes, value: Mapping[str, Any]) -> Grant:
    """Return a grant from `Emr.Grants`."""
    return Grant(
        scope=scope,
        grantee=grantee,
        expires_at=value["expires_at"],
        purpose=value["purpose"],
        key=_to_key_state(value["key"]),
    )


def _to_key_state(value: Any) -> KeyState:
    if value == "Pending":
        return Pending()
    match value:
        case {"Inline": {"wrapped": wrapped, "key_version": version}}:
            return Inline(wrapped=to_bytes(wrapped), key_version=version)
        case {"Escrowed": {"digest": digest, "key_version": version}}:
            return Escrowed(digest=to_bytes(digest), key_version=version)
    raise ProtocolViolation("the chain holds a key state that this version does not know; upgrade CareGrid")


def to_event(value: Mapping[str, Any]) -> Event:
    """Return an event; hex becomes bytes, SS58 becomes 32 bytes, names stay text."""
    attributes = value["attributes"]
    fields = attributes if isinstance(attributes, dict) else {"value": attributes}
    return Event(
        pallet=value["module_id"],
        name=value["event_id"],
        fields={name: _plain(field) for name, field in fields.items()},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(field) for name, field in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str) and value.startswith("0x"):
        return to_bytes(value)
    if isinstance(value, str) and len(value) in _SS58_LENGTHS:
        return to_account(value)
    return value
