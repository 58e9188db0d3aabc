"""From sealed records to confirmed ones. Each function runs inside the caller's transaction."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from ocw_sidecar.adapters.sql import jobs, submissions
from ocw_sidecar.adapters.sql.notices import tell_failed
from ocw_sidecar.adapters.sql.rows import SQL, from_ms, to_ms
from ocw_sidecar.pipeline.states import STAGE_OF_PACK, PackState, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Row, Session
    from ocw_sidecar.pipeline.items import Anchoring, Confirmation, Job, PackLimits

_PACK_ID_LEN: Final = 16


def plan(db: Session, limits: PackLimits, now: datetime) -> bytes | None:
    """Give sealed records places in a new pack, if one is due."""
    if not _is_due(db, limits):
        return None
    chosen = _choose(db.execute(SQL["sealed_records"], {"limit": limits.records}).fetchall(), limits.size)
    pack_id, position = secrets.token_bytes(_PACK_ID_LEN), 0
    _insert_pack(db, pack_id, chosen)
    for row in chosen:
        db.execute(SQL["pack_record"], {"id": row["id"], "pack": pack_id, "position": position})
        position += row["length"]
    db.execute(SQL["insert_job"], {"stage": Stage.ASSEMBLE, "item": pack_id, "now": to_ms(now)})
    return pack_id


def _is_due(db: Session, limits: PackLimits) -> bool:
    oldest = db.execute(SQL["oldest_sealed"]).fetchone()
    if oldest is None:
        return False
    if from_ms(oldest["sealed_at"]) <= limits.oldest_before:
        return True
    sealed = next(
        row
        for row in db.execute(SQL["tallies"]).fetchall()
        if (row["kind"], row["state"]) == ("record", "sealed")
    )
    return bool(sealed["bytes"] >= limits.size or sealed["items"] >= limits.records)


def _choose(waiting: list[Row], size: int) -> list[Row]:
    large = next((row for row in waiting if row["length"] > size), None)
    if large is not None:
        return [large]
    chosen, room = [], size
    for row in waiting:
        # The first always fits, so whatever is skipped now becomes the first one day.
        if row["length"] <= room:
            chosen.append(row)
            room -= row["length"]
    return chosen


def _insert_pack(db: Session, pack_id: bytes, chosen: list[Row]) -> None:
    db.execute(
        SQL["insert_pack"],
        {
            "id": pack_id,
            "size": sum(row["length"] for row in chosen),
            "record_count": len(chosen),
            "oldest": min(row["sealed_at"] for row in chosen),
        },
    )


def finish_assembly(db: Session, job: Job, object_id: bytes, manifest_root: bytes, now: datetime) -> None:
    """Note the file id of an assembled pack."""
    jobs.require_held(db, job)
    db.execute(SQL["assemble_pack"], {"id": job.item, "object": object_id, "manifest_root": manifest_root})
    jobs.move(db, job.item, Stage.STORE, now)


def finish_storing(db: Session, job: Job, now: datetime) -> None:
    """Note that a pack lies in storage."""
    jobs.require_held(db, job)
    db.execute(SQL["store_records_of_pack"], {"pack": job.item})
    _move_pack(db, job.item, PackState.STORED, now)


def note_anchoring(db: Session, job: Job, outcome: Anchoring, now: datetime) -> int:
    """Note what became of a pack's calls; return how many records still wait for one."""
    jobs.require_held(db, job)
    _set_blocks(db, "anchor_record", job.item, outcome.anchored)
    _refuse(db, job.item, outcome.refused)
    left = _count_to_anchor(db, job.item)
    if left == 0:
        _move_pack(db, job.item, PackState.ANCHORED, now)
    return left


def finish_confirmation(db: Session, job: Job, outcome: Confirmation, now: datetime) -> list[str]:
    """Note what the finalized head says; return the spool files that nobody needs any more."""
    jobs.require_held(db, job)
    _set_blocks(db, "confirm_record", job.item, outcome.confirmed)
    _refuse(db, job.item, outcome.refused)
    db.executemany(SQL["lose_record"], [{"id": record_id, "pack": job.item} for record_id in outcome.lost])
    freed = [name for record_id in outcome.confirmed for name in submissions.forget_payload(db, record_id)]
    _move_pack(db, job.item, PackState.STORED if _count_to_anchor(db, job.item) else PackState.CLOSED, now)
    return freed


def _set_blocks(db: Session, statement: str, pack_id: bytes, blocks: Mapping[bytes, int]) -> None:
    db.executemany(
        SQL[statement], [{"id": key, "pack": pack_id, "block": block} for key, block in blocks.items()]
    )


def _refuse(db: Session, pack_id: bytes, reasons: Mapping[bytes, str]) -> None:
    failed: dict[str, list[Row]] = {}
    for key, reason in reasons.items():
        refused = db.execute(SQL["refuse_record"], {"id": key, "pack": pack_id, "reason": reason}).fetchall()
        failed.setdefault(reason, []).extend(refused)
    for reason, rows in failed.items():
        tell_failed(db, "pack", pack_id, rows, reason=reason)


def _count_to_anchor(db: Session, pack_id: bytes) -> int:
    row = db.execute(SQL["count_to_anchor"], {"pack": pack_id}).fetchone()
    return 0 if row is None else int(row["items"])


def _move_pack(db: Session, pack_id: bytes, state: PackState, now: datetime) -> None:
    db.execute(SQL["move_pack"], {"id": pack_id, "state": state})
    if (stage := STAGE_OF_PACK.get(state)) is None:
        db.execute(SQL["delete_job"], {"item": pack_id})
    else:
        jobs.move(db, pack_id, stage, now)
