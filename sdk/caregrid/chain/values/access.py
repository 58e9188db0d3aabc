"""Grants and requests for access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain.port import (
    AccessRequest,
    Escrowed,
    Expirable,
    ExpirableGrant,
    ExpirableRequest,
    ExpiringPage,
    Grant,
    GrantPage,
    Inline,
    KeyState,
    PatientScope,
    Pending,
    RecordScope,
    Scope,
)
from caregrid.chain.values.plain import to_account, to_bytes
from caregrid.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Mapping


def to_grant(scope: Scope, grantee: bytes, value: Mapping[str, Any]) -> Grant:
    """Return a grant from `Emr.Grants`."""
    return Grant(
        scope=scope,
        grantee=grantee,
        granted_at=value["granted_at"],
        expires_at=value["expires_at"],
        purpose=value["purpose"],
        key=_to_key_state(value["key"]),
        payer=to_account(value["payer"]),
    )


def to_grant_view(view: Mapping[str, Any]) -> Grant:
    """Return a grant from an answer of `EmrApi`."""
    return to_grant(to_scope(view["scope"]), to_account(view["grantee"]), view)


def to_grant_page(page: Mapping[str, Any]) -> GrantPage:
    """Return a page of `EmrApi.grants_of_record`."""
    items = [to_grant_view(item) for item in page["items"]]
    match page["next"]:
        case None:
            return GrantPage(items=items, next=None)
        case [scope, grantee]:
            return GrantPage(items=items, next=(to_scope(scope), to_account(grantee)))
    raise _unknown("cursor")


def to_expiring_page(page: Mapping[str, Any]) -> ExpiringPage:
    """Return a page of `EmrApi.expiring_grants`."""
    items = [to_grant_view(item) for item in page["items"]]
    match page["next"]:
        case None:
            return ExpiringPage(items=items, next=None)
        case [block, item]:
            return ExpiringPage(items=items, next=(block, _to_expirable(item)))
    raise _unknown("cursor")


def to_request(record_id: bytes, requester: bytes, value: Mapping[str, Any]) -> AccessRequest:
    """Return a request from `Emr.AccessRequests`."""
    return AccessRequest(
        record_id=record_id,
        requester=requester,
        purpose=value["purpose"],
        expires_at=value["expires_at"],
    )


def to_scope(value: Mapping[str, Any]) -> Scope:
    """Return a scope."""
    match value:
        case {"Record": record_id}:
            return RecordScope(record_id=to_bytes(record_id))
        case {"Patient": patient_id}:
            return PatientScope(patient_id=to_bytes(patient_id))
    raise _unknown("scope")


def _to_expirable(value: Mapping[str, Any]) -> Expirable:
    match value:
        case {"Grant": [scope, grantee]}:
            return ExpirableGrant(scope=to_scope(scope), grantee=to_account(grantee))
        case {"Request": [record_id, requester]}:
            return ExpirableRequest(record_id=to_bytes(record_id), requester=to_account(requester))
    raise _unknown("thing that expires")


def _to_key_state(value: Any) -> KeyState:
    match value:
        case "Pending":
            return Pending()
        case {"Inline": {"wrapped": wrapped, "key_version": version}}:
            return Inline(wrapped=to_bytes(wrapped), key_version=version)
        case {"Escrowed": {"digest": digest, "key_version": version}}:
            return Escrowed(digest=to_bytes(digest), key_version=version)
    raise _unknown("key state")


def _unknown(what: str) -> ProtocolViolation:
    return ProtocolViolation(f"the chain holds a {what} that this version does not know; upgrade CareGrid")
