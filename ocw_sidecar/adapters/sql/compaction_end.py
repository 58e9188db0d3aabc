"""What becomes of the queue's rows when records lie elsewhere. Runs inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocw_sidecar.adapters.sql.compaction_keys import SQL, adopt_key
from ocw_sidecar.adapters.sql.rows import SQL as QUEUE
from ocw_sidecar.adapters.sql.storage import SQL as STORAGE
from ocw_sidecar.adapters.sql.upkeep import SQL as PURGE
from ocw_sidecar.pipeline.states import PackState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ocw_sidecar.adapters.sql.database import Session
    from ocw_sidecar.pipeline.compaction import Compaction, Transfer


def finish(
    db: Session, done: Compaction, transfers: Sequence[Transfer], moved: Collection[bytes], now: int
) -> None:
    """Note which of a plan's records lie in its object now."""
    there = [each for each in transfers if each.record_id in moved]
    for each in there:
        if each.wrapped_key is not None:  # the block that says so was not taken in yet
            adopt_key(db, each.record_id, each.wrapped_key, now)
    _place(db, done, there, now)
    left = {"object": done.object_id, "now": now}
    if not there:
        db.execute(STORAGE["put_removal"], {**left, "height": 0})
    elif len(there) < len(transfers):
        db.execute(SQL["put_erased"], left)


def _place(db: Session, done: Compaction, there: Sequence[Transfer], now: int) -> None:
    """Have the rows of records, of which some may be purged, point at a pack that is the new object."""
    packs: dict[bytes, bytes] = {}
    for each in there:
        row = db.execute(SQL["pack_of_record"], {"record": each.record_id}).fetchone()
        if row is not None:
            packs[each.record_id] = bytes(row["pack"])
    if not packs:
        return  # a pack without records would never be purged
    _put_pack(db, done, now)
    for each in there:
        if each.record_id in packs:
            place = {"position": each.target.offset, "digest": each.target.digest}
            db.execute(SQL["place_record"], {**place, "id": done.compaction_id, "record": each.record_id})
    for pack_id in sorted(set(packs.values())):
        db.execute(PURGE["purge_pack"], {"pack": pack_id})


def _put_pack(db: Session, done: Compaction, now: int) -> None:
    pack = {"id": done.compaction_id, "size": done.size, "record_count": done.record_count}
    db.execute(QUEUE["insert_pack"], {**pack, "oldest": now})
    db.execute(
        QUEUE["assemble_pack"],
        {"id": done.compaction_id, "object": done.object_id, "manifest_root": done.manifest_root},
    )
    # The state machine knows no shorter way.
    for state in (PackState.STORED, PackState.ANCHORED, PackState.CLOSED):
        db.execute(QUEUE["move_pack"], {"id": done.compaction_id, "state": state})
