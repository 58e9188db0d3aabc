"""What is to be delivered, by channel, in a database of either kind."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from ocw_sidecar.adapters.sql.notices import SQL, posted
from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.notifications.delivery import Delivery, Turn
from ocw_sidecar.notifications.port import Outbox
from ocw_sidecar.notifications.targets import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Database, Row, Session
    from ocw_sidecar.notifications.delivery import Fault
    from ocw_sidecar.pipeline.sql import Statement

#: Later than every time there is.
NEVER: Final = 1 << 52

_LEASE_LEN: Final = 16
_PULLS: Final = ("pull_deliveries", "pull_leases", "pull_rests", "pull_channels")


class SqlOutbox(Outbox):
    """Deliveries; the database stays open when this is dropped."""

    def __init__(self, database: Database) -> None:
        self._write, self._read, self._sole = database.write, database.read, database.sole

    async def has_due(self, now: datetime) -> bool:
        """Look for due channels; see `Outbox.has_due`."""
        found = await self._read(lambda db: db.execute(SQL["due_channel"], {"now": to_ms(now)}).fetchone())
        return found is not None

    async def claim(
        self, *, sound: int, troubled: int, batch: int, now: datetime, until: datetime
    ) -> list[Turn]:
        """Lease channels; see `Outbox.claim`."""
        limits = {"claim_sound_channels": sound, "claim_troubled_channels": troubled}
        times = {"now": to_ms(now), "until": to_ms(until)}

        def lease(db: Session) -> list[Turn]:
            found = [
                turn
                for statement, limit in limits.items()
                if limit > 0
                for turn in _claim(db, SQL[statement], {"limit": limit, **times}, batch)
            ]
            for turn in found:
                if not turn.deliveries:  # its deliveries are gone, or have been made
                    _release(db, turn)
            return [turn for turn in found if turn.deliveries]

        return await self._write(lease)

    async def note_sent(self, turn: Turn, deliveries: Sequence[int], *, until: datetime) -> None:
        """Note what was delivered; see `Outbox.note_sent`."""

        def note(db: Session) -> None:
            # Whoever holds the lease now, these were sent.
            db.executemany(SQL["note_sent"], [{"id": each} for each in deliveries])
            db.execute(SQL["extend_channel"], {"until": to_ms(until), **_held(turn)})

        await self._write(note)

    async def note_fault(self, turn: Turn, fault: Fault) -> None:
        """Note what failed; see `Outbox.note_fault`."""

        def note(db: Session) -> None:
            due = to_ms(fault.due)
            again = [{"id": each, "due": due, "code": fault.code} for each in fault.retried]
            db.executemany(SQL["note_retry"], again)
            db.executemany(
                SQL["note_given_up"], [{"id": each, "code": fault.code} for each in fault.given_up]
            )
            db.execute(SQL["channel_troubled"], {"until": due, **_held(turn)})
            _release(db, turn)

        await self._write(note)

    async def finish(self, turn: Turn) -> None:
        """Give a lease back; see `Outbox.finish`."""

        def give_back(db: Session) -> None:
            db.execute(SQL["channel_sound"], _held(turn))
            _release(db, turn)

        await self._write(give_back)

    async def recover(self, now: datetime) -> int:
        """Void the leases of the dead; see `Outbox.recover`."""
        if not self._sole:
            return 0
        parameters = {"now": to_ms(now)}
        return await self._write(lambda db: db.execute(SQL["release_channels"], parameters).rowcount)

    async def replay_failed(self, recipient: bytes | None, now: datetime) -> int:
        """Try again what was given up; see `Outbox.replay_failed`."""
        return await self._write(lambda db: _replay(db, recipient, to_ms(now)))

    async def pull(self, *, now: datetime, leased: datetime, rested: datetime) -> int:
        """Wake what a clock left in the future; see `Outbox.pull`."""
        times = {"now": to_ms(now), "horizon": to_ms(rested), "until": to_ms(leased), "never": NEVER}

        def pull(db: Session) -> int:
            # Deliveries before the channels that wake for them.
            return sum(db.execute(SQL[name], times).rowcount for name in _PULLS)

        return await self._write(pull)

    async def tallies(self) -> Mapping[str, int]:
        """Count deliveries; see `Outbox.tallies`."""
        rows = await self._read(lambda db: db.execute(SQL["delivery_tallies"]).fetchall())
        return {row["state"]: row["items"] for row in rows}


def _claim(db: Session, statement: Statement, wanted: Mapping[str, int], batch: int) -> list[Turn]:
    lease = secrets.token_bytes(_LEASE_LEN)
    rows = db.execute(statement, {"lease": lease, **wanted}).fetchall()
    return [_turn(db, row, lease, batch, wanted["now"]) for row in rows]


def _turn(db: Session, row: Row, lease: bytes, batch: int, now: int) -> Turn:
    due = {"channel": row["id"], "now": now, "limit": batch}
    return Turn(
        channel=bytes(row["id"]),
        lease=lease,
        origin=Origin(row["origin"]),
        failures=row["failures"],
        digest=row["digest_at"] >= 0,
        sealed=bytes(row["sealed"]),
        wrapped_key=bytes(row["wrapped"]),
        deliveries=[_delivery(each) for each in db.execute(SQL["due_deliveries"], due).fetchall()],
    )


def _delivery(row: Row) -> Delivery:
    kept = posted(row, bytes(row["recipient"]))
    return Delivery(id=row["delivery"], attempts=row["attempts"], since=kept.notice.at, posted=kept)


def _held(turn: Turn) -> dict[str, bytes]:
    return {"id": turn.channel, "lease": turn.lease}


def _release(db: Session, turn: Turn) -> None:
    db.execute(SQL["release_channel"], {"never": NEVER, **_held(turn)})


def _replay(db: Session, recipient: bytes | None, now: int) -> int:
    if recipient is None:
        rows = db.execute(SQL["failed_deliveries"]).fetchall()
    else:
        rows = db.execute(SQL["failed_deliveries_of"], {"recipient": recipient}).fetchall()
    db.executemany(SQL["replay_delivery"], [{"id": row["id"], "now": now} for row in rows])
    woken = {bytes(row["channel"]) for row in rows}
    db.executemany(SQL["wake_channel"], [{"id": channel, "due": now} for channel in sorted(woken)])
    return len(rows)
