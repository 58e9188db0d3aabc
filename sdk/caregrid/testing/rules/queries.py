"""What the runtime's `EmrApi` answers."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from caregrid.chain.limits import MAX_PAGE
from caregrid.chain.port import (
    ExpirableGrant,
    ExpiringPage,
    GrantPage,
    IpBlockPage,
    LiveRecord,
    PatientScope,
    Record,
    RecordPage,
    RecordScope,
    SignaturePage,
)
from caregrid.testing.rules.expiry import index
from caregrid.testing.rules.state import expirable_key, place

if TYPE_CHECKING:
    from caregrid.chain.port import ExpiryCursor, Grant, GrantCursor, RecordView, Scope
    from caregrid.testing.rules.state import State

T = TypeVar("T")


def record_view(state: State, record_id: bytes) -> RecordView | None:
    """See `Chain.record_view`."""
    entry = state.records.get(record_id)
    if isinstance(entry, Record):
        return LiveRecord(record=entry, custodian=state.objects[entry.object_id].custodian)
    return entry


def records_of_patient(state: State, patient_id: bytes, after: bytes | None, limit: int) -> RecordPage:
    """See `Chain.records_of_patient`."""
    of_patient = [
        entry.record_id
        for entry in state.records.values()
        if isinstance(entry, Record) and entry.patient_id == patient_id
    ]
    behind = [each for each in sorted(of_patient, key=place) if after is None or place(each) > place(after)]
    seen = behind[: _bounded(limit)]
    return RecordPage(items=seen, next=seen[-1] if len(seen) == _bounded(limit) else None)


def live_grant(state: State, record_id: bytes, reader: bytes, block: int) -> Grant | None:
    """See `Chain.live_grant`."""
    found = (state.grants.get((scope, reader)) for scope in _scopes(state, record_id))
    return next((grant for grant in found if grant is not None and grant.is_live(block)), None)


def grants_of_record(
    state: State, record_id: bytes, after: GrantCursor | None, limit: int, block: int
) -> GrantPage:
    """See `Chain.grants_of_record`."""
    scopes = _scopes(state, record_id)
    start = (0, b"") if after is None or after[0] not in scopes else (scopes.index(after[0]), place(after[1]))
    entries = [
        ((number, place(grantee)), grant)
        for number, covering in enumerate(scopes)
        for (scope, grantee), grant in state.grants.items()
        if scope == covering
    ]
    behind = [grant for position, grant in sorted(entries, key=lambda each: each[0]) if position > start]
    seen = behind[: _bounded(limit)]
    last = (seen[-1].scope, seen[-1].grantee) if len(seen) == _bounded(limit) else None
    return GrantPage(items=[grant for grant in seen if grant.is_live(block)], next=last)


def expiring_grants(
    state: State, start: int, end: int, after: ExpiryCursor | None, limit: int
) -> ExpiringPage:
    """See `Chain.expiring_grants`."""
    first = (start, b"") if after is None else max((start, b""), (after[0], place(expirable_key(after[1]))))
    behind = [each for each in index(state) if (each[0], place(expirable_key(each[1]))) > first]
    seen = [each for each in behind[: _bounded(limit)] if each[0] < end]
    items = [state.grants[item.scope, item.grantee] for _, item in seen if isinstance(item, ExpirableGrant)]
    return ExpiringPage(items=items, next=seen[-1] if len(seen) == _bounded(limit) else None)


def all_ip_blocks(state: State, after: bytes | None, limit: int) -> IpBlockPage:
    """See `Chain.all_ip_blocks`."""
    of = state.ip_blocks.items()
    keyed = sorted(((str(net).encode() + account, entry) for (net, account), entry in of), key=itemgetter(0))
    seen, cursor = _page(keyed, after, limit)
    return IpBlockPage(items=seen, next=cursor)


def all_signatures(state: State, after: bytes | None, limit: int) -> SignaturePage:
    """See `Chain.all_signatures`."""
    seen, cursor = _page(sorted(state.signatures.items(), key=itemgetter(0)), after, limit)
    return SignaturePage(items=seen, next=cursor)


def _page(keyed: list[tuple[bytes, T]], after: bytes | None, limit: int) -> tuple[list[T], bytes | None]:
    behind = [each for each in keyed if after is None or each[0] > after]
    seen = behind[: _bounded(limit)]
    return [entry for _, entry in seen], seen[-1][0] if len(seen) == _bounded(limit) else None


def _scopes(state: State, record_id: bytes) -> list[Scope]:
    entry = state.records.get(record_id)
    if not isinstance(entry, Record):
        return []
    return [RecordScope(record_id=record_id), PatientScope(patient_id=entry.patient_id)]


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE))
