"""Takes a block's events into the ledger, inside the clock's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.ledger.scopes import key_of_field
from ocw_sidecar.pipeline import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from caregrid.chain.port import FinalizedBlock
    from ocw_sidecar.adapters.sql.database import Session

    _Fields = Mapping[str, Any]
    #: Session, the event's fields, the block's number, now in milliseconds.
    _Taker = Callable[[Session, _Fields, int, int], None]

SQL: Final = sql.named_statements("ledger")
ACCESS: Final = sql.named_statements("access")

#: Pallet `Emr`'s events that change nothing in the ledger. A test compares both lists with the chain.
SILENT: Final = frozenset(
    {
        "OrganisationRegistered",
        "OperatorsSet",
        "EmergencyMembersSet",
        "PatientRegistered",
        "PatientRejected",
        "PatientOffered",
        "PatientClaimed",
        "RecordRejected",
        "ProofCommitted",
        "KeyRejected",
        "ReportRejected",
        "PurgeRejected",
    }
)


def fold(db: Session, block: FinalizedBlock, organisation: bytes, now: datetime) -> None:
    """Take in what a block says of our organisation; an earlier block must not come after a later one."""
    for event in block.events:
        taker = TAKERS.get(event.name) if event.pallet == "Emr" else None
        # Only an account's new key concerns every custodian; it names none.
        if taker is not None and event.fields.get("custodian", organisation) == organisation:
            taker(db, event.fields, block.ref.number, to_ms(now))


def forget(db: Session) -> None:
    """Empty the ledger; escrowed keys stay, since the chain may still name their digests."""
    for name in ("forget_grants", "forget_requests", "forget_objects", "forget_records"):
        db.execute(SQL[name])


def _granted(db: Session, fields: _Fields, height: int, now: int) -> None:
    version = fields["key_version"]
    place = {"scope": key_of_field(fields["scope"]), "grantee": fields["grantee"]}
    if version is not None:
        db.execute(ACCESS["end_redelivery"], place)  # who gave it gave the present key along
    _put_grant(
        db,
        {
            **place,
            "height": height,
            "expires_at": fields["expires_at"],
            "key_state": "pending" if version is None else "given",
            "key_version": version,
            "emergency": 0,
            "now": now,
        },
    )
    if "Record" in fields["scope"]:
        _end_request(db, fields["scope"]["Record"], fields["grantee"])


def _opened(db: Session, fields: _Fields, height: int, now: int) -> None:
    # A key that was there stays on the chain; whoever delivers looks there first.
    _put_grant(
        db,
        {
            "scope": key_of_field(fields["scope"]),
            "grantee": fields["member"],
            "height": height,
            "expires_at": fields["expires_at"],
            "key_state": "pending",
            "key_version": None,
            "emergency": 1,
            "now": now,
        },
    )


def _put_grant(db: Session, parameters: _Fields) -> None:
    db.execute(SQL["put_grant"], parameters)


def _delivered(db: Session, fields: _Fields, _height: int, _now: int) -> None:
    parameters = {
        "scope": key_of_field(fields["scope"]),
        "grantee": fields["grantee"],
        "key_state": "escrowed",
        "key_version": fields["key_version"],
        "wave": 0,
    }
    db.execute(SQL["deliver_grant"], parameters)


def _key_set(db: Session, fields: _Fields, height: int, now: int) -> None:
    grantee = {"grantee": fields["account"], "now": now}
    db.execute(SQL["wake_grants"], grantee)
    db.execute(SQL["stale_grants"], {**grantee, "key_version": fields["version"], "height": height})


def _grant_ended(db: Session, fields: _Fields, _height: int, _now: int) -> None:
    parameters = {"scope": key_of_field(fields["scope"]), "grantee": fields["grantee"]}
    end_grant(db, parameters)


def end_grant(db: Session, place: _Fields) -> None:
    """Drop a grant with everything that is kept for it."""
    db.execute(SQL["end_grant"], place)
    db.execute(SQL["end_escrow"], place)
    db.execute(ACCESS["end_redelivery"], place)


def _requested(db: Session, fields: _Fields, _height: int, _now: int) -> None:
    names = ("record", "requester", "purpose", "expires_at")
    db.execute(SQL["put_request"], {name: fields[name] for name in names})


def _request_ended(db: Session, fields: _Fields, _height: int, _now: int) -> None:
    _end_request(db, fields["record"], fields["requester"])


def _end_request(db: Session, record_id: bytes, requester: bytes) -> None:
    db.execute(SQL["end_request"], {"record": record_id, "requester": requester})


def _object_stored(db: Session, fields: _Fields, height: int, _now: int) -> None:
    db.execute(SQL["put_object"], {"object": fields["object"], "height": height})


def _object_removed(db: Session, fields: _Fields, _height: int, _now: int) -> None:
    db.execute(SQL["end_object"], {"object": fields["object"]})


def _record_stored(db: Session, fields: _Fields, _height: int, _now: int) -> None:
    db.execute(SQL["put_record"], {name: fields[name] for name in ("record", "patient", "object")})


def _record_moved(db: Session, fields: _Fields, height: int, now: int) -> None:
    db.execute(SQL["end_record"], {"record": fields["record"]})
    _record_stored(db, fields, height, now)


def _record_erased(db: Session, fields: _Fields, _height: int, _now: int) -> None:
    record_id = fields["record"]
    db.execute(SQL["end_record"], {"record": record_id})
    scope = {"scope": key_of_field({"Record": record_id})}
    db.execute(SQL["end_grants_of_scope"], scope)
    db.execute(ACCESS["end_redeliveries_of_scope"], scope)
    db.execute(SQL["end_escrow_of_record"], {"record": record_id})


def _health_reported(db: Session, fields: _Fields, height: int, _now: int) -> None:
    names = ("object", "health", "replicas", "nodes")
    db.execute(SQL["note_health"], {**{name: fields[name] for name in names}, "height": height})


def _integrity_reported(db: Session, fields: _Fields, _height: int, _now: int) -> None:
    names = ("object", "outcome", "challenged_at")
    db.execute(SQL["note_outcome"], {name: fields[name] for name in names})


#: What takes each of pallet `Emr`'s events in.
TAKERS: Final[Mapping[str, _Taker]] = {
    "AccessGranted": _granted,
    "EmergencyAccessOpened": _opened,
    "KeyDelivered": _delivered,
    "EncryptionKeySet": _key_set,
    "AccessRevoked": _grant_ended,
    "AccessExpired": _grant_ended,
    "AccessRequested": _requested,
    "RequestDenied": _request_ended,
    "RequestExpired": _request_ended,
    "ObjectStored": _object_stored,
    "ObjectRemoved": _object_removed,
    "RecordStored": _record_stored,
    "RecordMoved": _record_moved,
    "RecordErased": _record_erased,
    "StorageHealthReported": _health_reported,
    "IntegrityReported": _integrity_reported,
}
