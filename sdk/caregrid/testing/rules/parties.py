"""Organisations, patients and encryption keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from caregrid.chain.port import EncryptionKey, Organisation, Patient, PatientScope
from caregrid.chain.refusals import EmrRefusal
from caregrid.testing.rules.scopes import controlled
from caregrid.testing.rules.state import emr_event, ensure, from_hex

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain.port import Event
    from caregrid.testing.rules.state import State


def register_organisation(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Emr.register_organisation`."""
    ensure(signer not in state.organisations, "OrganisationExists")
    operators = _ascending(params["operators"], "DuplicateOperator")
    state.organisations[signer] = Organisation(
        account=signer, operators=frozenset(operators), emergency=frozenset(), tombstones=0
    )
    registered = emr_event("OrganisationRegistered", organisation=signer)
    return [registered, emr_event("OperatorsSet", organisation=signer, operators=operators)]


def set_operators(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Emr.set_operators`."""
    ensure(signer in state.organisations, "OrganisationUnknown")
    operators = _ascending(params["operators"], "DuplicateOperator")
    entry = state.organisations[signer]
    state.organisations[signer] = replace(entry, operators=frozenset(operators))
    return [emr_event("OperatorsSet", organisation=signer, operators=operators)]


def set_emergency_members(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Emr.set_emergency_members`."""
    ensure(signer in state.organisations, "OrganisationUnknown")
    members = _ascending(params["members"], "DuplicateMember")
    entry = state.organisations[signer]
    state.organisations[signer] = replace(entry, emergency=frozenset(members))
    return [emr_event("EmergencyMembersSet", organisation=signer, members=members)]


def acting_for(state: State, signer: bytes, params: Mapping[str, Any]) -> bytes:
    """Return the organisation that a call names, if the signer acts for it."""
    organisation = from_hex(params["organisation"])
    ensure(organisation in state.organisations, "OrganisationUnknown")
    entry = state.organisations[organisation]
    ensure(signer == organisation or signer in entry.operators, "NotOperator")
    return organisation


def register_patient(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Emr.register_patient`."""
    organisation = acting_for(state, signer, params)
    return [_put_patient(state, organisation, params["patient"], params["controller"])]


def register_patients(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Emr.register_patients`."""
    organisation = acting_for(state, signer, params)
    ensure(params["patients"], "BatchEmpty")
    return [_patient_or_rejection(state, organisation, *each) for each in params["patients"]]


def offer_patient(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Emr.offer_patient`."""
    patient_id, to = from_hex(params["patient"]), from_hex(params["to"])
    patient = controlled(state, signer, PatientScope(patient_id=patient_id))
    state.patients[patient_id] = replace(patient, offered_to=to)
    return [emr_event("PatientOffered", patient=patient_id, organisation=patient.organisation, to=to)]


def claim_patient(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Emr.claim_patient`."""
    patient_id = from_hex(params["patient"])
    ensure(patient_id in state.patients, "PatientUnknown")
    patient = state.patients[patient_id]
    ensure(patient.offered_to == signer, "NotOffered")
    state.patients[patient_id] = replace(patient, offered_to=None, controller=signer)
    fields = {"patient": patient_id, "organisation": patient.organisation, "controller": signer}
    return [emr_event("PatientClaimed", **fields)]


def set_encryption_key(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Emr.set_encryption_key`."""
    version = state.keys[signer].version + 1 if signer in state.keys else 1
    public_key = from_hex(params["public"])
    state.keys[signer] = EncryptionKey(account=signer, public_key=public_key, version=version)
    return [emr_event("EncryptionKeySet", account=signer, version=version)]


def _ascending(accounts: Sequence[str], refusal: str) -> list[bytes]:
    listed = sorted(from_hex(account) for account in accounts)
    ensure(len(set(listed)) == len(listed), refusal)
    return listed


def _put_patient(state: State, organisation: bytes, patient: str, controller: str | None) -> Event:
    patient_id = from_hex(patient)
    ensure(patient_id not in state.patients, "PatientExists")
    decides = organisation if controller is None else from_hex(controller)
    state.patients[patient_id] = Patient(
        patient_id=patient_id, organisation=organisation, controller=decides, offered_to=None
    )
    fields = {"patient": patient_id, "organisation": organisation, "controller": decides}
    return emr_event("PatientRegistered", **fields)


def _patient_or_rejection(state: State, organisation: bytes, patient: str, controller: str | None) -> Event:
    try:
        return _put_patient(state, organisation, patient, controller)
    except EmrRefusal as refused:
        fields = {"patient": from_hex(patient), "organisation": organisation, "reason": refused.name}
        return emr_event("PatientRejected", **fields)
