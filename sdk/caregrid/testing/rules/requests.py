"""Requests for access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain.limits import MAX_REQUEST_DURATION
from caregrid.chain.port import AccessRequest, RecordScope
from caregrid.testing.rules.access import check_expiry
from caregrid.testing.rules.scopes import controlled, patient_of
from caregrid.testing.rules.state import emr_event, ensure, from_hex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.chain.port import Event
    from caregrid.testing.rules.state import State


def request_access(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.request_access`."""
    record_id, expires_at = from_hex(params["record"]), params["expires_at"]
    patient = patient_of(state, RecordScope(record_id=record_id))
    check_expiry(expires_at, block, MAX_REQUEST_DURATION)
    state.requests[record_id, signer] = AccessRequest(
        record_id=record_id, requester=signer, purpose=params["purpose"], expires_at=expires_at
    )
    requested = emr_event(
        "AccessRequested",
        record=record_id,
        requester=signer,
        purpose=params["purpose"],
        expires_at=expires_at,
        patient=patient.patient_id,
        controller=patient.controller,
        custodian=patient.organisation,
    )
    return [requested]


def deny_request(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.deny_request`."""
    record_id, requester = from_hex(params["record"]), from_hex(params["requester"])
    patient = controlled(state, signer, RecordScope(record_id=record_id))
    request = state.requests.get((record_id, requester))
    ensure(request is not None and request.is_live(block), "RequestUnknown")
    del state.requests[record_id, requester]
    fields = {"record": record_id, "requester": requester, "custodian": patient.organisation}
    return [emr_event("RequestDenied", **fields)]
