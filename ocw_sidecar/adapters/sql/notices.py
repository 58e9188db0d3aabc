"""Notices in a database of either kind: told once to each recipient, numbered, and bounded."""

from __future__ import annotations

import json
import secrets
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from ocw_sidecar.adapters.sql.rows import from_ms, to_ms
from ocw_sidecar.notifications.events import acquainted_by, notices_of
from ocw_sidecar.notifications.feed import Page, Posted
from ocw_sidecar.notifications.items import URGENT, Notice, NoticeKind, code_of, notice
from ocw_sidecar.notifications.port import Notices
from ocw_sidecar.pipeline import sql
from ocw_sidecar.ports import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from caregrid.chain.port import FinalizedBlock
    from ocw_sidecar.adapters.sql.database import Database, Row, Session

SQL: Final = sql.named_statements("notices")

#: More than this a recipient's backlog never holds; 2 MB of rows.
MAX_KEPT: Final = 10_000
#: Dropped at once, so that a full backlog is not searched for every notice.
DROP_BATCH: Final = 64

_ID_LEN: Final = 16


class SqlNotices(Notices):
    """Recipients' notices; the database stays open when this is dropped."""

    def __init__(self, database: Database) -> None:
        self._write, self._read = database.write, database.read

    async def add(self, notices: Sequence[Notice]) -> int:
        """Keep notices; see `Notices.add`."""
        return await self._write(lambda db: add(db, notices))

    async def after(self, recipient: bytes, position: int | None, limit: int) -> Page:
        """List notices; see `Notices.after`."""
        return await self._read(lambda db: _page(db, recipient, position, limit))

    async def wants(self, recipient: bytes, kind: NoticeKind) -> bool:
        """Look for a channel; see `Notices.wants`."""
        asked = {"recipient": recipient, "kind": str(kind)}
        return await self._read(lambda db: db.execute(SQL["subscribed"], asked).fetchone() is not None)

    async def oversee(self, account: bytes) -> None:
        """Name who is told of failures; see `Notices.oversee`."""

        def change(db: Session) -> None:
            db.execute(SQL["oversee_no_more"], {"account": account})
            db.execute(SQL["oversee"], {"account": account})

        await self._write(change)

    async def purge(self, before: datetime, limit: int) -> int:
        """Forget old notices; see `Notices.purge`."""
        return await self._write(lambda db: _purge(db, before, limit))


def fold(db: Session, block: FinalizedBlock, organisation: bytes, now: datetime) -> None:
    """Keep the notices of a finalized block, in the transaction that moves the clock past it."""
    notices = notices_of(block, organisation, now)
    known = acquainted_by(block, organisation) | {each.recipient for each in notices}
    for account in sorted(known):
        db.execute(SQL["enter_recipient"], {"account": account})
    add(db, notices)


def add(db: Session, notices: Iterable[Notice]) -> int:
    """Keep notices, with a delivery for each channel that is subscribed; return how many were new."""
    # Recipients in one order, whoever adds: then two transactions never wait for each other crosswise.
    return sum(_add(db, each) for each in sorted(notices, key=lambda each: each.recipient))


def tell_failed(db: Session, what: str, item: bytes, failed: Sequence[Row], *, reason: str) -> None:
    """Tell whoever oversees this sidecar that records failed, in the transaction in which they do.

    Each account that handed some of them over is told of its own.

    Args:
        db: the transaction.
        what: `submission` or `pack`.
        item: its id.
        failed: `submission` and `submitter` of each record; nobody is told of none.
        reason: the code that is kept of it.
    """
    if not failed:
        return
    overseers = [bytes(row["account"]) for row in db.execute(SQL["overseers"]).fetchall()]
    told = {account: list(failed) for account in overseers}
    for row in failed:
        if row["submitter"] is not None and row["submitter"] not in overseers:
            told.setdefault(bytes(row["submitter"]), []).append(row)
    now = utc_now()  # a queue's `fail` is told no time
    common: dict[str, str | int] = {what: item.hex(), "code": code_of(reason), "failed_at": to_ms(now)}
    add(db, [_failure(account, rows, common, now) for account, rows in told.items()])


def posted(row: Row, recipient: bytes) -> Posted:
    """Read a notice."""
    told = Notice(
        key=bytes(row["key"]),
        kind=NoticeKind(row["kind"]),
        recipient=recipient,
        facts=json.loads(row["facts"]),
        at=from_ms(row["told_at"]),
    )
    return Posted(position=row["position"], id=bytes(row["id"]), notice=told)


def _failure(account: bytes, rows: Sequence[Row], common: dict[str, str | int], now: datetime) -> Notice:
    facts = {**common, "records": len(rows)}
    submissions = {bytes(row["submission"]) for row in rows}
    if len(submissions) == 1:
        facts["submission"] = submissions.pop().hex()
    return notice(NoticeKind.RECORD_FAILED, account, now, **facts)


def _add(db: Session, one: Notice) -> bool:
    db.execute(SQL["enter_recipient"], {"account": one.recipient})
    known = {"recipient": one.recipient, "key": one.key}
    if db.execute(SQL["notice_by_key"], known).fetchone() is not None:
        return False
    counted = _one(db.execute(SQL["count_notice"], {"account": one.recipient}).fetchall())
    _insert(db, one, counted["newest"])
    if counted["kept"] >= MAX_KEPT + DROP_BATCH:
        _drop_oldest(db, one.recipient)
    return True


def _insert(db: Session, one: Notice, position: int) -> None:
    place = {"recipient": one.recipient, "position": position, "now": to_ms(one.at)}
    db.execute(
        SQL["insert_notice"],
        {
            **place,
            "key": one.key,
            "id": secrets.token_bytes(_ID_LEN),
            "kind": str(one.kind),
            "facts": json.dumps(dict(one.facts), sort_keys=True, separators=(",", ":")),
        },
    )
    midnight = one.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    timing = {"urgent": int(one.kind in URGENT), "day": to_ms(midnight), "kind": str(one.kind)}
    waiting = db.execute(SQL["insert_deliveries"], place | timing).fetchall()
    for row in waiting:
        db.execute(SQL["wake_channel"], {"id": row["channel"], "due": row["due_at"]})


def _drop_oldest(db: Session, recipient: bytes) -> None:
    for choice in ("delivered_notices", "oldest_notices"):
        rows = db.execute(SQL[choice], {"recipient": recipient, "limit": DROP_BATCH}).fetchall()
        if len(rows) == DROP_BATCH:
            break
    _forget(db, recipient, [row["position"] for row in rows])


def _purge(db: Session, before: datetime, limit: int) -> int:
    found = db.execute(SQL["old_notices"], {"before": to_ms(before), "limit": limit}).fetchall()
    by_recipient: dict[bytes, list[int]] = {}
    for row in found:
        by_recipient.setdefault(bytes(row["recipient"]), []).append(row["position"])
    for recipient in sorted(by_recipient):
        db.execute(SQL["enter_recipient"], {"account": recipient})
        _forget(db, recipient, by_recipient[recipient])
    return len(found)


def _forget(db: Session, recipient: bytes, positions: list[int]) -> None:
    gone = 0
    for position in positions:
        place = {"recipient": recipient, "position": position}
        db.execute(SQL["delete_deliveries_of_notice"], place)
        gone += db.execute(SQL["delete_notice"], place).rowcount
    if positions:
        facts = {"account": recipient, "count": gone, "highest": max(positions)}
        db.execute(SQL["drop_counted"], facts)


def _page(db: Session, recipient: bytes, position: int | None, limit: int) -> Page:
    known = db.execute(SQL["recipient"], {"account": recipient}).fetchone()
    if known is None:
        return Page(items=(), newest=0, gap=None)
    wanted = {"recipient": recipient, "after": position or 0, "limit": limit}
    rows = db.execute(SQL["notices_after"], wanted).fetchall()
    gap = known["dropped"] if position is not None and position < known["dropped"] else None
    return Page(items=[posted(row, recipient) for row in rows], newest=known["newest"], gap=gap)


def _one(rows: list[Row]) -> Any:
    (row,) = rows
    return row
