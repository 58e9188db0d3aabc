"""Tokens and nonces in a database of either kind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputInvalid
from ocw_sidecar.adapters.sql.rows import from_ms, to_ms
from ocw_sidecar.callers.items import Scope, Token
from ocw_sidecar.callers.port import MAX_TOKENS, Callers
from ocw_sidecar.pipeline import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.adapters.sql.database import Database, Row, Session

SQL: Final = sql.named_statements("callers")

#: How long an ended token can still be seen in the list.
KEEP_ENDED: Final = timedelta(days=90)

#: Each new nonce removes more than one old one, so their number falls back after a burst.
FORGET_AT_ONCE: Final = 16


class SqlCallers(Callers):
    """What is remembered of callers; the database stays open when this is dropped."""

    def __init__(self, database: Database) -> None:
        self._write, self._read = database.write, database.read

    async def token(self, digest: bytes) -> Token | None:
        """Look a token up; see `Callers.token`."""
        row = await self._read(lambda db: db.execute(SQL["token_by_digest"], {"digest": digest}).fetchone())
        return None if row is None else _token(row)

    async def tokens(self) -> list[Token]:
        """List the tokens; see `Callers.tokens`."""
        rows = await self._read(lambda db: db.execute(SQL["all_tokens"]).fetchall())
        return [_token(row) for row in rows]

    async def add(self, token: Token) -> None:
        """Keep a token; see `Callers.add`."""
        await self._write(lambda db: _add(db, token))

    async def adopt(self, tokens: Sequence[Token]) -> int:
        """Keep tokens that are new; see `Callers.adopt`."""

        def insert(db: Session) -> int:
            return sum(db.execute(SQL["insert_token"], _parameters(token)).rowcount for token in tokens)

        return await self._write(insert)

    async def revoke(self, token_id: bytes, *, now: datetime) -> bool:
        """End a token; see `Callers.revoke`."""
        parameters = {"id": token_id, "now": to_ms(now)}
        return bool(await self._write(lambda db: db.execute(SQL["revoke_token"], parameters).rowcount))

    async def note_use(self, token_id: bytes, *, day: datetime) -> None:
        """Remember a day; see `Callers.note_use`."""
        parameters = {"id": token_id, "day": to_ms(day)}
        await self._write(lambda db: db.execute(SQL["note_token_use"], parameters).rowcount)

    async def remember(self, nonce: bytes, *, now: datetime, until: datetime) -> bool:
        """Remember a nonce; see `Callers.remember`."""

        def insert(db: Session) -> bool:
            db.execute(SQL["forget_nonces"], {"now": to_ms(now), "limit": FORGET_AT_ONCE})
            parameters = {"id": nonce, "forget_at": to_ms(until)}
            return db.execute(SQL["insert_nonce"], parameters).rowcount == 1

        return await self._write(insert)


def _add(db: Session, token: Token) -> None:
    db.execute(SQL["delete_ended_tokens"], {"before": to_ms(token.created_at - KEEP_ENDED)})
    row = db.execute(SQL["count_tokens"]).fetchone()
    if row is not None and row["items"] >= MAX_TOKENS:
        raise InputInvalid(f"there are {MAX_TOKENS} tokens already; revoke those that nobody uses")
    db.execute(SQL["insert_token"], _parameters(token))


def _parameters(token: Token) -> dict[str, bytes | str | int | None]:
    return {
        "id": token.token_id,
        "digest": token.digest,
        "account": token.account,
        "scopes": " ".join(sorted(token.scopes)),
        "created_at": to_ms(token.created_at),
        "expires_at": None if token.expires_at is None else to_ms(token.expires_at),
    }


def _token(row: Row) -> Token:
    return Token(
        token_id=row["id"],
        digest=row["digest"],
        account=row["account"],
        scopes=frozenset(Scope(name) for name in row["scopes"].split()),
        created_at=from_ms(row["created_at"]),
        expires_at=_moment(row["expires_at"]),
        revoked_at=_moment(row["revoked_at"]),
        used_on=_moment(row["used_on"]),
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
