"""Keys that must be delivered again, inside the ledger's transactions."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.port import PatientScope, RecordScope
from ocw_sidecar.adapters.sql.ledger_fold import ACCESS, SQL
from ocw_sidecar.ledger.scopes import scope_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocw_sidecar.adapters.sql.database import Session

_WAVE_BITS: Final = 62


def mark_record(db: Session, record_id: bytes) -> int:
    """Mark the grants that cover a record, and drop what is in escrow for them; return how many."""
    covering = _covering(db, record_id)
    woken = db.execute(ACCESS["wake_covering"], covering).rowcount
    db.execute(ACCESS["mark_covering"], {**covering, "wave": _new_wave()})
    db.execute(ACCESS["drop_covering"], covering)
    return woken


def mark_unsettled(db: Session, record_id: bytes) -> None:
    """Mark the grants that cover a record and have no key yet: who is wrapping one for them keeps nothing."""
    covering = _covering(db, record_id)
    db.execute(ACCESS["hold_covering"], covering)
    db.execute(ACCESS["mark_unsettled"], {**covering, "wave": _new_wave()})


def _covering(db: Session, record_id: bytes) -> dict[str, bytes]:
    scope = scope_key(RecordScope(record_id=record_id))
    row = db.execute(ACCESS["patient_of_record"], {"record": record_id}).fetchone()
    wide = scope if row is None else scope_key(PatientScope(patient_id=bytes(row["patient"])))
    return {"scope": scope, "wide": wide}


def mark_account(db: Session, account: bytes) -> int:
    """Mark an account's grants, and drop what is in escrow for them; return how many."""
    grantee = {"grantee": account}
    woken = db.execute(ACCESS["wake_account"], grantee).rowcount
    db.execute(ACCESS["mark_account"], {**grantee, "wave": _new_wave()})
    db.execute(ACCESS["drop_account"], grantee)
    return woken


def _new_wave() -> int:
    return 1 + secrets.randbits(_WAVE_BITS)


def is_current(db: Session, place: Mapping[str, Any], wave: int) -> bool:
    """Tell whether a grant was not marked again since; whoever marks it waits for this transaction."""
    db.execute(ACCESS["hold_grant"], place)
    row = db.execute(ACCESS["wave_of_grant"], place).fetchone()
    return wave == (0 if row is None else row["wave"])


def settle(db: Session, place: Mapping[str, Any], state: str, key_version: int, wave: int) -> None:
    """Note a delivered key, and that it was the one that was wanted."""
    if is_current(db, place, wave):
        delivered = {**place, "key_state": state, "key_version": key_version, "wave": wave}
        db.execute(SQL["deliver_grant"], delivered)
        db.execute(ACCESS["end_redelivery"], place)


def drop_orphans(db: Session) -> None:
    """Drop what is kept for grants that ended unseen; what is to be delivered again still is."""
    db.execute(SQL["drop_orphans"])
    db.execute(ACCESS["drop_unmarked"])
    db.execute(ACCESS["wake_marked"])
