"""Grants: given, delivered, withdrawn, opened in an emergency."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from caregrid.chain.calls.params import WRAPPED_KEY_LEN
from caregrid.chain.limits import (
    EMERGENCY_DURATION,
    MAX_EMERGENCY_MEMBERS,
    MAX_GRANT_DURATION,
    MAX_GRANTS_PER_SCOPE,
)
from caregrid.chain.port import Escrowed, Grant, Inline, KeyDelivery, Pending, Purpose, RecordScope
from caregrid.chain.refusals import EmrRefusal, emr
from caregrid.testing.rules.parties import acting_for
from caregrid.testing.rules.scopes import controlled, patient_of, to_scope
from caregrid.testing.rules.state import emr_event, ensure, from_hex, scope_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.chain.port import Event, KeyState, Scope
    from caregrid.testing.rules.state import State


def grant_access(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.grant_access`."""
    scope, grantee = to_scope(params["scope"]), from_hex(params["grantee"])
    patient = controlled(state, signer, scope)
    expires_at, key = params["expires_at"], _key_state(params["key"])
    check_expiry(expires_at, block, MAX_GRANT_DURATION)
    _check_key(state, grantee, key)
    grant = Grant(
        scope=scope,
        grantee=grantee,
        granted_at=block,
        expires_at=expires_at,
        purpose=params["purpose"],
        key=key,
        payer=patient.controller,
    )
    _put(state, grant, MAX_GRANTS_PER_SCOPE)
    if isinstance(scope, RecordScope):
        state.requests.pop((scope.record_id, grantee), None)
    granted = emr_event(
        "AccessGranted",
        scope=scope_field(scope),
        patient=patient.patient_id,
        grantee=grantee,
        expires_at=expires_at,
        custodian=patient.organisation,
        purpose=params["purpose"],
        key_version=None if isinstance(key, Pending) else key.key_version,
    )
    return [granted]


def revoke_access(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Emr.revoke_access`."""
    scope, grantee = to_scope(params["scope"]), from_hex(params["grantee"])
    patient = controlled(state, signer, scope)
    ensure((scope, grantee) in state.grants, "GrantUnknown")
    del state.grants[scope, grantee]
    revoked = emr_event(
        "AccessRevoked",
        scope=scope_field(scope),
        patient=patient.patient_id,
        grantee=grantee,
        custodian=patient.organisation,
    )
    return [revoked]


def open_emergency_access(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.open_emergency_access`."""
    scope = to_scope(params["scope"])
    patient = patient_of(state, scope)
    ensure(signer in state.organisations[patient.organisation].emergency, "NotEmergencyMember")
    expires_at, present = block + EMERGENCY_DURATION, state.grants.get((scope, signer))
    live = present if present is not None and present.is_live(block) else None
    ensure(live is None or live.expires_at < expires_at, "AccessLive")
    grant = Grant(
        scope=scope,
        grantee=signer,
        granted_at=block,
        expires_at=expires_at,
        purpose=Purpose.EMERGENCY_TREATMENT,
        key=Pending() if live is None else live.key,
        payer=patient.organisation,
    )
    _put(state, grant, MAX_GRANTS_PER_SCOPE + MAX_EMERGENCY_MEMBERS)
    opened = emr_event(
        "EmergencyAccessOpened",
        scope=scope_field(scope),
        patient=patient.patient_id,
        member=signer,
        reason=params["reason"],
        expires_at=expires_at,
        custodian=patient.organisation,
        controller=patient.controller,
    )
    return [opened]


def deliver_keys(state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.deliver_keys`."""
    custodian = acting_for(state, signer, params)
    ensure(params["keys"], "BatchEmpty")
    return [_delivery(state, custodian, value, block) for value in params["keys"]]


def check_expiry(expires_at: int, block: int, longest: int) -> None:
    """Refuse what would end at once, or too late."""
    ensure(expires_at > block, "ExpiryInPast")
    ensure(expires_at <= block + longest, "ExpiryTooFar")


def _delivery(state: State, custodian: bytes, value: Mapping[str, Any], block: int) -> Event:
    scope, grantee = to_scope(value["scope"]), from_hex(value["grantee"])
    common = {"scope": scope_field(scope), "grantee": grantee}
    try:
        key = _present(_key_state(value["key"]))
        _deliver(state, custodian, KeyDelivery(scope=scope, grantee=grantee, key=key), block)
    except EmrRefusal as refused:
        return emr_event("KeyRejected", **common, reason=refused.name)
    return emr_event("KeyDelivered", **common, custodian=custodian, key_version=key.key_version)


def _present(key: KeyState) -> Inline | Escrowed:
    if isinstance(key, Pending):
        raise emr.KeyMissing
    return key


def _deliver(state: State, custodian: bytes, one: KeyDelivery, block: int) -> None:
    grant = state.grants.get((one.scope, one.grantee))
    if grant is None:
        raise emr.GrantUnknown
    ensure(_is_custodian(state, custodian, one.scope), "PatientUnknown")
    ensure(grant.is_live(block), "GrantExpired")
    _check_key(state, one.grantee, one.key)
    moves = isinstance(one.key, Inline) != isinstance(grant.key, Inline)
    payer = custodian if moves else grant.payer
    state.grants[one.scope, one.grantee] = replace(grant, key=one.key, payer=payer)


def _is_custodian(state: State, custodian: bytes, scope: Scope) -> bool:
    try:
        return patient_of(state, scope).organisation == custodian
    except EmrRefusal:
        return False


def _put(state: State, grant: Grant, room: int) -> None:
    if (grant.scope, grant.grantee) not in state.grants:
        standing = sum(of == grant.scope for of, _ in state.grants)
        ensure(standing < room, "GrantsFull")
    state.grants[grant.scope, grant.grantee] = grant


def _check_key(state: State, grantee: bytes, key: KeyState) -> None:
    if isinstance(key, Pending):
        return
    ensure(grantee in state.keys, "NoEncryptionKey")
    ensure(state.keys[grantee].version == key.key_version, "EncryptionKeyStale")
    fits = not isinstance(key, Inline) or len(key.wrapped) == WRAPPED_KEY_LEN
    ensure(fits, "WrappedKeyInvalid")


def _key_state(value: Any) -> KeyState:
    match value:
        case {"Inline": {"wrapped": wrapped, "key_version": version}}:
            return Inline(wrapped=from_hex(wrapped), key_version=version)
        case {"Escrowed": {"digest": digest, "key_version": version}}:
            return Escrowed(digest=from_hex(digest), key_version=version)
    return Pending()
