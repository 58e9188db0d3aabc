"""Recipients' channels in a database of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocw_sidecar.adapters.sql.notices import SQL
from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.notifications.items import NoticeKind
from ocw_sidecar.notifications.port import ChannelBook
from ocw_sidecar.notifications.preferences import SealedChannel, StoredChannel
from ocw_sidecar.ports import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Database, Row, Session
    from ocw_sidecar.notifications.targets import Origin

#: What a channel without digest has in place of a time of day.
AT_ONCE: Final = -1


class SqlChannelBook(ChannelBook):
    """Channels, sealed; the database stays open when this is dropped."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._write, self._read, self._now = database.write, database.read, now

    async def channels(self, recipient: bytes, origin: Origin) -> list[StoredChannel]:
        """List a recipient's channels; see `ChannelBook.channels`."""
        return await self._read(lambda db: [_stored(db, row) for row in _rows(db, recipient, origin)])

    async def knows(self, account: bytes) -> bool:
        """Look an account up; see `ChannelBook.knows`."""
        found = await self._read(lambda db: db.execute(SQL["recipient"], {"account": account}).fetchone())
        return found is not None

    async def replace(self, recipient: bytes, origin: Origin, channels: Sequence[SealedChannel]) -> None:
        """Set a recipient's channels; see `ChannelBook.replace`."""
        now = to_ms(self._now())

        def change(db: Session) -> None:
            kept = {channel.id for channel in channels}
            if not kept and not _rows(db, recipient, origin):
                return
            # Nobody delivers to a channel that is going, or to one that is not yet whole.
            db.execute(SQL["enter_recipient"], {"account": recipient})
            for row in _rows(db, recipient, origin):
                if bytes(row["id"]) not in kept:
                    _remove(db, row["id"])
            for channel in channels:
                _put(db, recipient, origin, channel, now)

        await self._write(change)


def _rows(db: Session, recipient: bytes, origin: Origin) -> list[Row]:
    return db.execute(SQL["channels_of"], {"recipient": recipient, "origin": str(origin)}).fetchall()


def _put(db: Session, recipient: bytes, origin: Origin, channel: SealedChannel, now: int) -> None:
    minute = channel.digest_minute
    db.execute(
        SQL["put_channel"],
        {
            "id": channel.id,
            "recipient": recipient,
            "origin": str(origin),
            "slot": channel.slot,
            "digest_at": AT_ONCE if minute is None else minute,
            "sealed": channel.sealed,
            "wrapped": channel.wrapped_key,
            "now": now,
        },
    )
    db.execute(SQL["clear_subscriptions"], {"channel": channel.id})
    kinds = [{"channel": channel.id, "kind": str(kind)} for kind in sorted(channel.kinds)]
    db.executemany(SQL["subscribe"], kinds)


def _remove(db: Session, channel: bytes) -> None:
    for statement in ("delete_deliveries_of_channel", "clear_subscriptions", "delete_channel"):
        db.execute(SQL[statement], {"channel": channel})


def _stored(db: Session, row: Row) -> StoredChannel:
    channel = {"channel": row["id"]}
    backlog = db.execute(SQL["backlog_of_channel"], channel).fetchone()
    code = db.execute(SQL["last_code_of_channel"], channel).fetchone()
    kinds = db.execute(SQL["kinds_of_channel"], channel).fetchall()
    minute = row["digest_at"]
    return StoredChannel(
        channel=SealedChannel(
            id=bytes(row["id"]),
            slot=row["slot"],
            sealed=bytes(row["sealed"]),
            wrapped_key=bytes(row["wrapped"]),
            kinds=frozenset(NoticeKind(each["kind"]) for each in kinds),
            digest_minute=None if minute == AT_ONCE else minute,
        ),
        failures=row["failures"],
        waiting=0 if backlog is None else backlog["waiting"],
        given_up=0 if backlog is None else backlog["failed"],
        code=None if code is None else code["code"],
    )
