"""Whose records a scope covers, and who decides on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.chain.port import PatientScope, Record, RecordScope
from caregrid.chain.refusals import emr
from caregrid.testing.rules.state import ensure, from_hex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.chain.port import Patient, Scope
    from caregrid.testing.rules.state import State


def live_record(state: State, record_id: bytes) -> Record:
    """Return a record that is there and not erased."""
    entry = state.records.get(record_id)
    if entry is None:
        raise emr.RecordUnknown
    if not isinstance(entry, Record):
        raise emr.RecordErased
    return entry


def patient_of(state: State, scope: Scope) -> Patient:
    """Return the patient whom a scope belongs to."""
    if isinstance(scope, RecordScope):
        patient_id = live_record(state, scope.record_id).patient_id
    else:
        patient_id = scope.patient_id
    ensure(patient_id in state.patients, "PatientUnknown")
    return state.patients[patient_id]


def controlled(state: State, signer: bytes, scope: Scope) -> Patient:
    """Return the patient whom a scope belongs to, if the signer decides for him."""
    patient = patient_of(state, scope)
    unclaimed = patient.controller == patient.organisation
    organisation = state.organisations.get(patient.organisation)
    acts = unclaimed and organisation is not None and signer in organisation.operators
    ensure(signer == patient.controller or acts, "NotController")
    return patient


def to_scope(value: Mapping[str, str]) -> Scope:
    """Return a scope from a call's parameter."""
    if "Record" in value:
        return RecordScope(record_id=from_hex(value["Record"]))
    return PatientScope(patient_id=from_hex(value["Patient"]))
