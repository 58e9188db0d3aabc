"""Takes in what was erased from our objects, inside the clock's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ocw_sidecar.adapters.sql.compaction_keys import SQL, adopt_key
from ocw_sidecar.adapters.sql.rows import to_ms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from caregrid.chain.port import FinalizedBlock
    from ocw_sidecar.adapters.sql.database import Session

#: In which field an event names the object that has bytes now which nobody needs.
_LEFT_BEHIND: Final = {"RecordErased": "object", "RecordMoved": "from"}


def fold(db: Session, block: FinalizedBlock, organisation: bytes, now: datetime) -> None:
    """Note objects of ours that something was erased from or moved out of, and forget those that are gone."""
    for event in block.events:
        if event.pallet != "Emr" or event.fields.get("custodian") != organisation:
            continue
        if (field := _LEFT_BEHIND.get(event.name)) is not None:
            db.execute(SQL["put_erased"], {"object": event.fields[field], "now": to_ms(now)})
        if event.name == "RecordMoved":
            _follow_key(db, event.fields, to_ms(now))
        elif event.name == "RecordErased":
            # Its bytes are never to be opened again, not even where they were being sealed anew.
            db.execute(SQL["take_key"], {"record": event.fields["record"]})
            db.execute(SQL["drop_reseal"], {"record": event.fields["record"]})
        elif event.name == "ObjectRemoved":
            db.execute(SQL["end_erased"], {"object": event.fields["object"]})


def _follow_key(db: Session, fields: Mapping[str, Any], now: int) -> None:
    """Change a record's key with the block that has its new bytes, so that keys fit what is read."""
    place = {"record": fields["record"], "object": fields["object"]}
    row = db.execute(SQL["key_under_way"], place).fetchone()
    if row is not None:
        adopt_key(db, fields["record"], bytes(row["wrapped"]), now)
