"""Bearer tokens: shown once, kept as SHA-256 digests in a file of the home folder, one hex line each.

To revoke a token delete its line; a running sidecar reads the file again when it changes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Final

from caregrid.errors import Unauthorised

if TYPE_CHECKING:
    from pathlib import Path

#: 256 random bits: nobody guesses one, so a plain digest is enough to keep.
_TOKEN_BYTES: Final = 32
_FILE_NAME: Final = "tokens"


def create_token(home: Path) -> str:
    """Draw a new token, note its digest in the home folder, durably, and return it; it is kept nowhere."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(home / _FILE_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(_digest(token).hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return token


class Tokens:
    """The tokens that are good now."""

    def __init__(self, home: Path) -> None:
        self._path = home / _FILE_NAME
        self._read_at: tuple[int, int] | None = None
        self._digests: frozenset[bytes] = frozenset()

    def caller(self, authorization: str | None) -> bytes:
        """Return what stands for the bearer of an `Authorization` header: 32 bytes, the same each time.

        Raises:
            Unauthorised: there is no token, or not a good one.
        """
        scheme, _, token = (authorization or "").partition(" ")
        digest = _digest(token.strip())
        if scheme.lower() != "bearer" or digest not in self._current():
            raise Unauthorised(
                "pass a good token as `Authorization: Bearer TOKEN`; `caregrid sidecar` makes them"
            )
        return digest

    def _current(self) -> frozenset[bytes]:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return frozenset()
        changed = (stat.st_mtime_ns, stat.st_size)
        if changed != self._read_at:
            lines = self._path.read_text(encoding="ascii").split()
            self._digests, self._read_at = frozenset(bytes.fromhex(line) for line in lines), changed
        return self._digests


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
