"""Large payloads in the database, in pieces, where several machines work on them.

Pack files stay local: whoever needs one that is not there makes it anew from the pieces.
"""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import ProtocolViolation, Recoverable
from ocw_sidecar.pipeline.items import InRow
from ocw_sidecar.pipeline.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ocw_sidecar.pipeline.items import Payload

#: What one row holds; also what a reader and a writer keep in memory.
PIECE_SIZE: Final = 512 * 1024

#: A pack's file that nobody touched for so long is not just being made.
TIDY_AGE_S: Final = 3600.0

log = structlog.get_logger()


class Pieces(ABC):
    """Pieces of payloads by name and number. Its methods block, and raise what `Database.write` raises."""

    @abstractmethod
    def append(self, name: str, ordinal: int, body: bytes) -> None:
        """Write a piece of at most `PIECE_SIZE` bytes, durably."""

    @abstractmethod
    def complete(self, name: str) -> None:
        """Say that the last piece is written; within a day a row has to name the payload."""

    @abstractmethod
    def fetch(self, name: str, ordinal: int) -> bytes | None:
        """Return a piece; None past the last one."""

    @abstractmethod
    def remove(self, names: Iterable[str]) -> None:
        """Forget payloads."""

    @abstractmethod
    def sweep(self) -> int:
        """Forget payloads that a process began and never finished, some at a time; return their number."""


class SharedSpool(Spool):
    """A spool whose payloads lie in the database."""

    def __init__(self, home: Path, pieces: Pieces) -> None:
        super().__init__(home)
        self._pieces = pieces

    def object_path(self, payload: Payload) -> Path | None:  # noqa: ARG002  no payload has a file
        """Return nothing; see `Spool.object_path`."""
        return None

    def create(self) -> SharedSpoolFile:
        """Begin a new payload; see `Spool.create`."""
        return SharedSpoolFile(secrets.token_hex(16), self._pieces)

    def read(self, payload: Payload) -> bytes:
        """Return a whole payload; see `Spool.read`."""
        return b"".join(self.pieces(payload))

    def head(self, payload: Payload, length: int) -> bytes:
        """Return a payload's first bytes; see `Spool.head`."""
        held = bytearray()
        for piece in self.pieces(payload):
            held += piece
            if len(held) >= length:
                break
        return bytes(held[:length])

    def pieces(self, payload: Payload) -> Iterator[bytes]:
        """Yield a payload; see `Spool.pieces`."""
        if isinstance(payload, InRow):
            yield payload.body
            return
        ordinal = 0
        while (body := self._pieces.fetch(payload.name, ordinal)) is not None:
            yield body
            ordinal += 1
        if ordinal == 0:
            raise ProtocolViolation("the database has lost a payload")

    def remove(self, names: Iterable[str]) -> None:
        """Forget payloads; see `Spool.remove`. What cannot be reached now is swept later."""
        try:
            self._pieces.remove(names)
        except Recoverable as exc:
            log.warning("pieces_left", reason=exc.code)

    def sweep(self, spooled: set[str], packs: set[bytes]) -> int:  # noqa: ARG002  nothing spooled is local
        """Remove what this machine need not keep, and what nobody finished; see `Spool.sweep`."""
        return super().sweep(set(), packs) + self._pieces.sweep()

    def tidy(self, packs: set[bytes]) -> int:
        """Remove files of packs that others closed, and payloads that nobody finished; see `Spool.tidy`."""
        known = {self.pack_path(pack_id) for pack_id in packs}
        before = time.time() - TIDY_AGE_S
        strays = [
            file for file in self._packs.iterdir() if file not in known and file.stat().st_mtime < before
        ]
        for file in strays:
            file.unlink(missing_ok=True)
        return len(strays) + self._pieces.sweep()


class SharedSpoolFile:
    """A payload being written in pieces. Blocks."""

    def __init__(self, name: str, pieces: Pieces) -> None:
        self.name, self._pieces = name, pieces
        self._held, self._written = bytearray(), 0

    def write(self, data: bytes) -> None:
        """Append."""
        self._held += data
        while len(self._held) >= PIECE_SIZE:
            self._append(PIECE_SIZE)

    def finish(self) -> None:
        """Make all of it durable."""
        if self._held:
            self._append(len(self._held))
        self._pieces.complete(self.name)

    def discard(self) -> None:
        """Forget it; what cannot be reached now is swept later."""
        try:
            self._pieces.remove([self.name])
        except Recoverable as exc:
            log.warning("pieces_left", reason=exc.code)

    def _append(self, length: int) -> None:
        self._pieces.append(self.name, self._written, bytes(self._held[:length]))
        del self._held[:length]
        self._written += 1
