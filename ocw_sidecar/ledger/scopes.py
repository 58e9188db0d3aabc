"""Scopes between events, values and rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain.port import PatientScope, RecordScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.chain.port import Scope

_RECORD, _PATIENT = b"\x00", b"\x01"


def scope_key(scope: Scope) -> bytes:
    """Return a scope as rows have it."""
    if isinstance(scope, RecordScope):
        return _RECORD + scope.record_id
    return _PATIENT + scope.patient_id


def scope_of_key(key: bytes) -> Scope:
    """Return the scope of a row."""
    kind, identifier = key[:1], bytes(key[1:])
    if kind == _RECORD:
        return RecordScope(record_id=identifier)
    return PatientScope(patient_id=identifier)


def scope_of_field(field: Mapping[str, Any]) -> Scope:
    """Return a scope from how it stands in an event."""
    if "Record" in field:
        return RecordScope(record_id=bytes(field["Record"]))
    return PatientScope(patient_id=bytes(field["Patient"]))


def key_of_field(field: Mapping[str, Any]) -> bytes:
    """Return a scope as rows have it, from how it stands in an event."""
    return scope_key(scope_of_field(field))
