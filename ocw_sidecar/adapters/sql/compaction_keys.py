"""A record's new data key takes the place of the old one. Runs inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocw_sidecar.adapters.sql import ledger_redeliveries as redeliveries
from ocw_sidecar.pipeline import sql

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql.database import Session

SQL: Final = sql.named_statements("compaction")


def adopt_key(db: Session, record_id: bytes, wrapped: bytes, now: int) -> None:
    """Make the key that a record was sealed anew under the only one, now that the chain has its new bytes."""
    # First: whoever wraps a key for one of the grants waits for this transaction.
    redeliveries.mark_record(db, record_id)
    db.execute(SQL["replace_key"], {"record": record_id, "wrapped": wrapped})
    db.execute(SQL["finish_reseal"], {"record": record_id, "now": now})
    db.execute(SQL["take_key"], {"record": record_id})
