"""Organisations, patients and encryption keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.chain.calls import params
from caregrid.chain.limits import MAX_EMERGENCY_MEMBERS, MAX_OPERATORS
from caregrid.chain.port import Call

if TYPE_CHECKING:
    from collections.abc import Iterable


def register_organisation(operators: Iterable[bytes]) -> Call:
    """Make the signer an organisation with these operators."""
    listed = params.accounts("operators", operators, MAX_OPERATORS)
    return Call(pallet="Emr", function="register_organisation", params={"operators": listed})


def set_operators(operators: Iterable[bytes]) -> Call:
    """Replace the operators of the signer's organisation."""
    listed = params.accounts("operators", operators, MAX_OPERATORS)
    return Call(pallet="Emr", function="set_operators", params={"operators": listed})


def set_emergency_members(members: Iterable[bytes]) -> Call:
    """Replace the emergency role of the signer's organisation."""
    listed = params.accounts("members", members, MAX_EMERGENCY_MEMBERS)
    return Call(pallet="Emr", function="set_emergency_members", params={"members": listed})


def register_patient(organisation: bytes, patient_id: bytes, controller: bytes | None = None) -> Call:
    """Register a patient under a random id; without a controller the organisation decides for him."""
    return Call(
        pallet="Emr",
        function="register_patient",
        params={
            "organisation": params.account("organisation", organisation),
            "patient": params.patient_id(patient_id),
            "controller": _controller(controller),
        },
    )


def register_patients(organisation: bytes, patients: Iterable[tuple[bytes, bytes | None]]) -> Call:
    """Register up to `MAX_BATCH` patients, each with a controller or None; those taken are left out."""
    listed = [
        (params.patient_id(patient), _controller(controller))
        for patient, controller in params.batch("patients", patients)
    ]
    return Call(
        pallet="Emr",
        function="register_patients",
        params={"organisation": params.account("organisation", organisation), "patients": listed},
    )


def offer_patient(patient_id: bytes, to: bytes) -> Call:
    """Offer a patient's entry to the account that is to be its controller."""
    return Call(
        pallet="Emr",
        function="offer_patient",
        params={"patient": params.patient_id(patient_id), "to": params.account("to", to)},
    )


def claim_patient(patient_id: bytes) -> Call:
    """Become the controller of a patient's entry that was offered to the signer."""
    return Call(pallet="Emr", function="claim_patient", params={"patient": params.patient_id(patient_id)})


def set_encryption_key(public_key: bytes) -> Call:
    """Set the signer's encryption key."""
    public = params.fixed("public_key", public_key, params.ENCRYPTION_KEY_LEN)
    return Call(pallet="Emr", function="set_encryption_key", params={"public": public})


def _controller(controller: bytes | None) -> str | None:
    return None if controller is None else params.account("controller", controller)
