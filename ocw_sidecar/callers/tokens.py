"""Bearer tokens: drawn here, shown once, kept as SHA-256.

They stand in the database. A file `tokens` in the home folder, with one digest in hex a line, is how a token
gets there before the sidecar has ever run, and how those of older versions do: a start takes it in and
removes it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Final

from ocw_sidecar.callers.items import ALL_SCOPES, Token

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from ocw_sidecar.callers.items import Scope
    from ocw_sidecar.callers.port import Callers

TOKEN_ID_LEN: Final = 16

#: 256 random bits: nobody guesses one, so a plain digest is enough to keep.
_TOKEN_LEN: Final = 32
#: Lets programs that look for leaked secrets recognise one.
_PREFIX: Final = "caregrid_"
_FILE_NAME: Final = "tokens"


def draw_token(
    *,
    now: datetime,
    scopes: frozenset[Scope] = ALL_SCOPES,
    account: bytes | None = None,
    expires_at: datetime | None = None,
) -> tuple[str, Token]:
    """Return a new token, and what to keep of it."""
    text = _PREFIX + secrets.token_urlsafe(_TOKEN_LEN)
    kept = Token(
        token_id=secrets.token_bytes(TOKEN_ID_LEN),
        digest=token_digest(text),
        account=account,
        scopes=scopes,
        created_at=now,
        expires_at=expires_at,
    )
    return text, kept


def create_token(home: Path) -> str:
    """Return a new token that the next start of the sidecar takes in, with every scope; durable. Blocks."""
    token = _PREFIX + secrets.token_urlsafe(_TOKEN_LEN)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(home / _FILE_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(token_digest(token).hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return token


async def adopt_tokens(home: Path, callers: Callers, *, now: datetime) -> int:
    """Take in the tokens that wait in the home folder and return their number; once is enough."""
    path = home / _FILE_NAME
    lines = await asyncio.to_thread(_lines, path)
    adopted = await callers.adopt([_adopted(bytes.fromhex(line), now) for line in lines])
    await asyncio.to_thread(path.unlink, missing_ok=True)
    return adopted


def token_digest(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []


def _adopted(digest: bytes, now: datetime) -> Token:
    return Token(
        token_id=secrets.token_bytes(TOKEN_ID_LEN),
        digest=digest,
        account=None,
        scopes=ALL_SCOPES,
        created_at=now,
        expires_at=None,
    )
