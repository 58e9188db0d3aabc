"""From Python's values to a call's parameters, checked before anything is signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from caregrid.chain.limits import MAX_BATCH
from caregrid.chain.port import Escrowed, ExpirableGrant, Inline, RecordScope
from caregrid.errors import InputInvalid
from caregrid.records import (
    ACCOUNT_LEN,
    DIGEST_LEN,
    OBJECT_ID_LEN,
    PATIENT_ID_LEN,
    RECORD_ID_LEN,
    RecordFormat,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from enum import StrEnum

    from caregrid.chain.port import Expirable, IpNet, KeyState, Scope
    from caregrid.records import ObjectEntry, RecordEntry

T = TypeVar("T")

ENCRYPTION_KEY_LEN: Final = 1_216
WRAPPED_KEY_LEN: Final = 1_168

FORMAT_NAMES: Final = {
    RecordFormat.FHIR_R4_JSON: "FhirR4Json",
    RecordFormat.FHIR_R4B_JSON: "FhirR4bJson",
    RecordFormat.FHIR_R5_JSON: "FhirR5Json",
    RecordFormat.DICOM: "Dicom",
    RecordFormat.BINARY: "Binary",
}


def fixed(name: str, value: bytes, length: int) -> str:
    """Return bytes of one length as hex."""
    if len(value) != length:
        raise InputInvalid(f"{name} must be {length} bytes, not {len(value)}")
    return "0x" + value.hex()


def account(name: str, value: bytes) -> str:
    """Return an account as hex."""
    return fixed(name, value, ACCOUNT_LEN)


def accounts(name: str, values: Iterable[bytes], most: int) -> list[str]:
    """Return a bounded list of different accounts; it may be empty."""
    listed = [account(name, value) for value in values]
    if len(listed) > most:
        raise InputInvalid(f"{name} may name at most {most} accounts, not {len(listed)}")
    if len(set(listed)) < len(listed):
        raise InputInvalid(f"{name} must name each account once")
    return listed


def record_id(value: bytes) -> str:
    """Return a record's id as hex."""
    return fixed("record_id", value, RECORD_ID_LEN)


def patient_id(value: bytes) -> str:
    """Return a patient's id as hex."""
    return fixed("patient_id", value, PATIENT_ID_LEN)


def object_id(value: bytes) -> str:
    """Return an object's id as hex."""
    return fixed("object_id", value, OBJECT_ID_LEN)


def digest(name: str, value: bytes) -> str:
    """Return a SHA-256 digest as hex."""
    return fixed(name, value, DIGEST_LEN)


def unsigned(name: str, value: int, bits: int) -> int:
    """Return a number that fits."""
    if not 0 <= value < 1 << bits:
        raise InputInvalid(f"{name} must be a number that fits into {bits} unsigned bits")
    return value


def block(name: str, value: int) -> int:
    """Return a block number."""
    return unsigned(name, value, 32)


def one_of(name: str, kind: type[StrEnum], value: str) -> str:
    """Return a variant's name."""
    if value not in set(kind):
        raise InputInvalid(f"{name} must be one of {', '.join(kind)}")
    return str(value)


def batch(name: str, items: Iterable[T]) -> list[T]:
    """Return what one call can take."""
    listed = list(items)
    if not 1 <= len(listed) <= MAX_BATCH:
        raise InputInvalid(f"a batch holds 1 to {MAX_BATCH} {name}, not {len(listed)}")
    return listed


def scope(value: Scope) -> dict[str, str]:
    """Return a scope as the runtime's enum."""
    if isinstance(value, RecordScope):
        return {"Record": record_id(value.record_id)}
    return {"Patient": patient_id(value.patient_id)}


def key_state(key: KeyState) -> str | dict[str, Any]:
    """Return a key state as the runtime's enum."""
    if isinstance(key, Inline):
        wrapped = fixed("wrapped", key.wrapped, WRAPPED_KEY_LEN)
        return {"Inline": {"wrapped": wrapped, "key_version": unsigned("key_version", key.key_version, 32)}}
    if isinstance(key, Escrowed):
        escrowed = digest("digest", key.digest)
        return {"Escrowed": {"digest": escrowed, "key_version": unsigned("key_version", key.key_version, 32)}}
    return "Pending"


def expirable(item: Expirable) -> dict[str, tuple[Any, str]]:
    """Return something that ends at a block as the runtime's enum."""
    if isinstance(item, ExpirableGrant):
        return {"Grant": (scope(item.scope), account("grantee", item.grantee))}
    return {"Request": (record_id(item.record_id), account("requester", item.requester))}


def network(net: IpNet) -> dict[str, dict[str, Any]]:
    """Return a network as the runtime's enum."""
    fields = {"address": "0x" + net.network_address.packed.hex(), "prefix": net.prefixlen}
    return {f"V{net.version}": fields}


def stored_object(entry: ObjectEntry) -> dict[str, Any]:
    """Return an object as the runtime's struct."""
    return {
        "id": object_id(entry.object_id),
        "size": entry.size,
        "record_count": unsigned("record_count", entry.record_count, 32),
        "manifest_root": digest("manifest_root", entry.manifest_root),
    }


def record(entry: RecordEntry) -> Mapping[str, Any]:
    """Return a record as the runtime's struct."""
    return {
        "id": record_id(entry.record_id),
        "patient": patient_id(entry.patient_id),
        "offset": entry.offset,
        "length": entry.length,
        "digest": digest("digest", entry.digest),
        "format": FORMAT_NAMES[entry.format],
    }
