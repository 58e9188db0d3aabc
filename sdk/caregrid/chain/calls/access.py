"""Asking for access, giving it, delivering its keys, and ending it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.calls import params
from caregrid.chain.port import Call, EmergencyReason, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caregrid.chain.port import Expirable, KeyDelivery, KeyState, Scope

#: HL7 PurposeOfUse as the runtime spells it.
PURPOSES: Final = tuple(Purpose)


def request_access(record_id: bytes, *, purpose: str, expires_at: int) -> Call:
    """Ask for access to a record, until block `expires_at`, exclusively; asking again replaces."""
    return Call(
        pallet="Emr",
        function="request_access",
        params={
            "record": params.record_id(record_id),
            "purpose": params.one_of("purpose", Purpose, purpose),
            "expires_at": params.block("expires_at", expires_at),
        },
    )


def deny_request(record_id: bytes, requester: bytes) -> Call:
    """Refuse a request for access."""
    return Call(
        pallet="Emr",
        function="deny_request",
        params={
            "record": params.record_id(record_id),
            "requester": params.account("requester", requester),
        },
    )


def grant_access(scope: Scope, grantee: bytes, *, expires_at: int, purpose: str, key: KeyState) -> Call:
    """Let `grantee` read until block `expires_at`, exclusively; an existing grant is replaced."""
    return Call(
        pallet="Emr",
        function="grant_access",
        params={
            "scope": params.scope(scope),
            "grantee": params.account("grantee", grantee),
            "expires_at": params.block("expires_at", expires_at),
            "purpose": params.one_of("purpose", Purpose, purpose),
            "key": params.key_state(key),
        },
    )


def revoke_access(scope: Scope, grantee: bytes) -> Call:
    """Withdraw a grant."""
    return Call(
        pallet="Emr",
        function="revoke_access",
        params={"scope": params.scope(scope), "grantee": params.account("grantee", grantee)},
    )


def deliver_keys(organisation: bytes, keys: Iterable[KeyDelivery]) -> Call:
    """Deliver the keys of up to `MAX_BATCH` live grants; the chain leaves out those it cannot take."""
    return Call(
        pallet="Emr",
        function="deliver_keys",
        params={
            "organisation": params.account("organisation", organisation),
            "keys": [_delivery(one) for one in params.batch("keys", keys)],
        },
    )


def open_emergency_access(scope: Scope, reason: str) -> Call:
    """Break the glass: read at once, for a short time, on the record."""
    return Call(
        pallet="Emr",
        function="open_emergency_access",
        params={
            "scope": params.scope(scope),
            "reason": params.one_of("reason", EmergencyReason, reason),
        },
    )


def purge_expired(items: Iterable[Expirable]) -> Call:
    """Remove up to `MAX_BATCH` grants and requests that have expired; others are left."""
    listed = [params.expirable(item) for item in params.batch("items", items)]
    return Call(pallet="Emr", function="purge_expired", params={"items": listed})


def _delivery(one: KeyDelivery) -> dict[str, Any]:
    return {
        "scope": params.scope(one.scope),
        "grantee": params.account("grantee", one.grantee),
        "key": params.key_state(one.key),
    }
