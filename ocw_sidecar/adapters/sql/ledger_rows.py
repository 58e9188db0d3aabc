"""Between the ledger's values and its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.port import Inline, Pending
from ocw_sidecar.adapters.sql.ledger_fold import SQL
from ocw_sidecar.ledger.items import EndingGrant, EscrowedKey, KnownObject, PendingGrant
from ocw_sidecar.ledger.scopes import scope_key, scope_of_key

if TYPE_CHECKING:
    from caregrid.chain.port import Grant, StoredObject
    from ocw_sidecar.adapters.sql.database import Row, Session

_OBJECT_COLUMNS: Final = (
    "stored_at",
    "looked_at",
    "asked_at",
    "challenged_at",
    "contained",
    "contained_at",
)


def pending(row: Row) -> PendingGrant:
    """Read an undelivered grant."""
    return PendingGrant(
        scope=scope_of_key(row["scope"]),
        grantee=bytes(row["grantee"]),
        expires_at=row["expires_at"],
        emergency=bool(row["emergency"]),
        attempts=row["attempts"],
        wave=row["wave"],
    )


def ending(row: Row) -> EndingGrant:
    """Read a grant that ends soon."""
    return EndingGrant(
        scope=scope_of_key(row["scope"]), grantee=bytes(row["grantee"]), expires_at=row["expires_at"]
    )


def escrowed(row: Row) -> EscrowedKey:
    """Read a key that is kept for a grantee."""
    return EscrowedKey(
        record_id=bytes(row["record"]), wrapped=bytes(row["wrapped"]), key_version=row["key_version"]
    )


def place(grant: PendingGrant | EndingGrant) -> dict[str, bytes]:
    """Return the key of a grant's row."""
    return {"scope": scope_key(grant.scope), "grantee": grant.grantee}


def grant_parameters(grant: Grant, now: int) -> dict[str, Any]:
    """Return the parameters that write a grant as the chain has it."""
    key = grant.key
    if isinstance(key, Pending):
        state, version = "pending", None
    else:
        state, version = "given" if isinstance(key, Inline) else "escrowed", key.key_version
    return {
        "scope": scope_key(grant.scope),
        "grantee": grant.grantee,
        "height": grant.granted_at,
        "expires_at": grant.expires_at,
        "key_state": state,
        "key_version": version,
        "emergency": int(grant.purpose == "EmergencyTreatment"),
        "now": now,
    }


def add_object(db: Session, stored: StoredObject, height: int) -> None:
    """Write an object as the chain has it."""
    object_id = stored.entry.object_id
    db.execute(SQL["put_object"], {"object": object_id, "height": stored.stored_at})
    if stored.health is not None:
        told = {
            "health": stored.health.health,
            "replicas": stored.health.replicas,
            "nodes": stored.health.nodes,
        }
        looked_at = min(height, stored.health.reported_at)
        db.execute(SQL["note_health"], {"object": object_id, **told, "height": looked_at})
    if stored.integrity is not None:
        told_at = {"challenged_at": stored.integrity.challenged_at, "outcome": str(stored.integrity.outcome)}
        db.execute(SQL["note_outcome"], {"object": object_id, **told_at})


def known(row: Row) -> KnownObject:
    """Read an object."""
    return KnownObject(object_id=bytes(row["object"]), **{name: row[name] for name in _OBJECT_COLUMNS})
