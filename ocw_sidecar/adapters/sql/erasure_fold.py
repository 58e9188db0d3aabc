"""Destroys keys and writes receipts in the caller's transaction; and the fold that learns of erasures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocw_sidecar.adapters.sql import ledger_redeliveries as redeliveries
from ocw_sidecar.adapters.sql.compaction_keys import SQL as COMPACTION
from ocw_sidecar.adapters.sql.ledger_fold import SQL as LEDGER
from ocw_sidecar.adapters.sql.rows import SQL as QUEUE
from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.adapters.sql.submissions import discard
from ocw_sidecar.pipeline import sql
from ocw_sidecar.pipeline.erasure import ORIGIN, Cause, Decision, ErasureState, receipt_body

if TYPE_CHECKING:
    from datetime import datetime

    from caregrid.chain.port import FinalizedBlock
    from caregrid.erasures import ReasonCode
    from ocw_sidecar.adapters.sql.database import Session
    from ocw_sidecar.pipeline.erasure import Facts

SQL: Final = sql.named_statements("erasure")


def fold(db: Session, block: FinalizedBlock, organisation: bytes, now: datetime) -> None:
    """Take in which of our records a block erased, whoever asked for it, and which objects are gone."""
    for event in block.events:
        if event.pallet != "Emr" or event.fields.get("custodian") != organisation:
            continue
        if event.name == "RecordErased":
            record_id = event.fields["record"]
            decide(db, record_id, Cause.CHAIN, None, to_ms(now))
            place = event.fields["object"]
            note_erased(db, record_id, block=block.ref.number, object_id=place, call=None, now=to_ms(now))
        elif event.name == "ObjectRemoved":
            db.execute(SQL["wake_object"], {"object": event.fields["object"], "now": to_ms(now)})


def decide(db: Session, record_id: bytes, cause: Cause, code: ReasonCode | None, now: int) -> Decision:
    """Decide, and destroy; see `ErasureBook.decide`."""
    record = {"record": record_id}
    unread = db.execute(SQL["unread_submission"], record).fetchone() is not None
    place = db.execute(SQL["place_of_record"], record).fetchone()
    state = ErasureState.WITHDRAWN if unread else ErasureState.DECIDED
    entry = {**record, "state": str(state), "now": now, "object": None if place is None else place["object"]}
    fresh = db.execute(SQL["decide"], entry).rowcount == 1
    destroyed = _destroy(db, record_id)
    freed = _withdraw(db, record_id) if unread else []
    if fresh or any(destroyed.values()):
        told: Facts = {**destroyed, "cause": str(cause), "code": None if code is None else str(code)}
        write(db, record_id, "withdrawn" if unread else "keys_destroyed", now, told)
    return Decision(fresh=fresh, destroyed=any(destroyed.values()), freed=freed)


def _destroy(db: Session, record_id: bytes) -> dict[str, int]:
    """Destroy every wrapped copy of a record's key; return how many there were of each kind."""
    record = {"record": record_id}
    counted = db.execute(SQL["count_escrow"], record).fetchone()
    escrowed = 0 if counted is None else int(counted["items"])
    if escrowed or db.execute(SQL["held"], record).fetchone() is not None:
        # Before the key goes: whoever is wrapping it for one of the grants finds out, and keeps nothing.
        redeliveries.mark_unsettled(db, record_id)
    db.execute(LEDGER["end_escrow_of_record"], record)
    db.execute(SQL["forget_facts"], record)
    keys = db.execute(QUEUE["delete_key"], {"id": record_id}).rowcount
    db.execute(COMPACTION["drop_reseal"], record)
    resealing = db.execute(COMPACTION["take_key"], record).rowcount
    return {"keys": keys, "escrowed_keys": escrowed, "resealing_keys": resealing}


def _withdraw(db: Session, record_id: bytes) -> list[str]:
    # The job first: whoever holds it loses its lease, and writes nothing any more.
    db.execute(QUEUE["delete_job"], {"item": record_id})
    freed = discard(db, record_id)
    db.execute(SQL["withdraw_submission"], {"record": record_id})
    return freed


def note_erased(
    db: Session, record_id: bytes, *, block: int, object_id: bytes | None, call: bytes | None, now: int
) -> None:
    """Note what the chain says; see `ErasureBook.note_erased`."""
    place = {"record": record_id, "object": object_id, "now": now}
    fresh = db.execute(SQL["note_erased"], place).rowcount == 1
    told: Facts = {
        "block": block,
        "object": None if object_id is None else object_id.hex(),
        "call": None if call is None else call.hex(),
    }
    if fresh:
        write(db, record_id, "erased", now, told)
    elif call is not None:
        write(db, record_id, "erased_by_call", now, told)


def write(db: Session, record_id: bytes, step: str, now: int, facts: Facts) -> None:
    """Write a receipt behind the last one."""
    last = db.execute(SQL["next_receipt"], {"origin": ORIGIN}).fetchone()
    if last is None:
        raise AssertionError("the head of the receipts is always there")
    number, previous = int(last["number"]), bytes(last["digest"])
    named: Facts = {"number": number, "record": record_id.hex(), "step": step, "at": now}
    body, digest = receipt_body({**named, **facts}, previous)
    db.execute(SQL["put_receipt"], {"number": number, "record": record_id, "body": body, "digest": digest})
    db.execute(SQL["end_receipt"], {"digest": digest})
