"""What has expired is removed: by anybody who names it, or by a block's idle time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.chain.limits import MAX_BATCH
from caregrid.chain.port import Expirable, ExpirableGrant, ExpirableRequest, Tombstone
from caregrid.chain.refusals import EmrRefusal
from caregrid.testing.rules.scopes import patient_of, to_scope
from caregrid.testing.rules.state import (
    emr_event,
    ensure,
    expirable_field,
    expirable_key,
    from_hex,
    place,
    scope_field,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.chain.port import Event
    from caregrid.testing.rules.state import State


def purge_expired(state: State, _signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Emr.purge_expired`."""
    ensure(params["items"], "BatchEmpty")
    return [_purged(state, _expirable(value), block) for value in params["items"]]


def drain(state: State, block: int) -> list[Event]:
    """Remove what is due, the earliest first; what `on_idle` does."""
    due = [item for expires_at, item in index(state) if expires_at <= block]
    return [_removed(state, item) for item in due[:MAX_BATCH]]


def index(state: State) -> list[tuple[int, Expirable]]:
    """Return everything that expires, in the order of the chain's index."""
    items: list[tuple[int, Expirable]] = [
        (grant.expires_at, ExpirableGrant(scope=scope, grantee=grantee))
        for (scope, grantee), grant in state.grants.items()
    ]
    items += [
        (request.expires_at, ExpirableRequest(record_id=record_id, requester=requester))
        for (record_id, requester), request in state.requests.items()
    ]
    return sorted(items, key=lambda each: (each[0], place(expirable_key(each[1]))))


def _purged(state: State, item: Expirable, block: int) -> Event:
    try:
        ensure(_is_due(state, item, block), "NotDue")
    except EmrRefusal as refused:
        return emr_event("PurgeRejected", item=expirable_field(item), reason=refused.name)
    return _removed(state, item)


def _is_due(state: State, item: Expirable, block: int) -> bool:
    if isinstance(item, ExpirableGrant):
        ensure((item.scope, item.grantee) in state.grants, "GrantUnknown")
        return not state.grants[item.scope, item.grantee].is_live(block)
    ensure((item.record_id, item.requester) in state.requests, "RequestUnknown")
    erased = isinstance(state.records.get(item.record_id), Tombstone)
    return erased or not state.requests[item.record_id, item.requester].is_live(block)


def _removed(state: State, item: Expirable) -> Event:
    if isinstance(item, ExpirableGrant):
        grant = state.grants.pop((item.scope, item.grantee))
        return emr_event(
            "AccessExpired",
            scope=scope_field(item.scope),
            grantee=item.grantee,
            expires_at=grant.expires_at,
            custodian=patient_of(state, item.scope).organisation,
        )
    request = state.requests.pop((item.record_id, item.requester))
    return emr_event(
        "RequestExpired",
        record=item.record_id,
        requester=item.requester,
        expires_at=request.expires_at,
        custodian=_custodian(state, item.record_id),
    )


def _custodian(state: State, record_id: bytes) -> bytes:
    entry = state.records[record_id]
    if isinstance(entry, Tombstone):
        return entry.custodian
    return state.patients[entry.patient_id].organisation


def _expirable(value: Mapping[str, Any]) -> Expirable:
    if "Grant" in value:
        scope, grantee = value["Grant"]
        return ExpirableGrant(scope=to_scope(scope), grantee=from_hex(grantee))
    record_id, requester = value["Request"]
    return ExpirableRequest(record_id=from_hex(record_id), requester=from_hex(requester))
