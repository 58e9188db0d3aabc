"""Sealed bytes on disk: the spool folder for large payloads, the pack folder for objects on their way.

Everything in both folders is sealed, under names that say nothing. Files appear durably before the database
names them, and are removed after it has forgotten them; what a crash leaves in between is swept at start.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
import threading
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from caregrid.disk import full_disk_named, sync_folder
from ocw_sidecar.pipeline.items import InRow, InSpool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ocw_sidecar.pipeline.items import Payload

#: Up to this, a row is cheaper than a file with its own two fsyncs.
INLINE_LIMIT: Final = 256 * 1024

#: Bounds what one read of a spool file takes in memory.
READ_SIZE: Final = 1 << 20


class Spool:
    """The two folders. Its methods block; call them through `asyncio.to_thread` unless they say otherwise."""

    def __init__(self, home: Path) -> None:
        self._home, self._spool, self._packs = home, home / "spool", home / "packs"

    def prepare(self) -> None:
        """Create the folders, for their owner only."""
        for folder in (self._spool, self._packs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Return the path of a spool file; does not block."""
        return self._spool / name

    def pack_path(self, pack_id: bytes) -> Path:
        """Return the path of a pack's file; does not block."""
        return self._packs / f"{pack_id.hex()}.pack"

    def object_path(self, payload: Payload) -> Path | None:
        """Return the file that holds a payload and nothing else, if there is one; does not block."""
        return self.path(payload.name) if isinstance(payload, InSpool) else None

    def create(self) -> BeingWritten:
        """Begin a new spool file."""
        name = secrets.token_hex(16)
        return SpoolFile(name, self.path(name))

    def read(self, payload: Payload) -> bytes:
        """Return a whole payload."""
        return payload.body if isinstance(payload, InRow) else self.path(payload.name).read_bytes()

    def head(self, payload: Payload, length: int) -> bytes:
        """Return a payload's first bytes."""
        if isinstance(payload, InRow):
            return payload.body[:length]
        with self.path(payload.name).open("rb") as file:
            return file.read(length)

    def pieces(self, payload: Payload) -> Iterator[bytes]:
        """Yield a payload in pieces of bounded size."""
        if isinstance(payload, InRow):
            yield payload.body
            return
        with self.path(payload.name).open("rb") as file:
            yield from iter(lambda: file.read(READ_SIZE), b"")

    def remove(self, names: Iterable[str]) -> None:
        """Remove spool files that the database has forgotten."""
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def remove_pack(self, pack_id: bytes) -> None:
        """Remove a closed pack's file."""
        self.pack_path(pack_id).unlink(missing_ok=True)

    def sweep(self, spooled: set[str], packs: set[bytes]) -> int:
        """Remove what the database does not name; only before anybody writes. Return the number of files."""
        known = {self.path(name) for name in spooled} | {self.pack_path(pack_id) for pack_id in packs}
        strays = [
            file for folder in (self._spool, self._packs) for file in folder.iterdir() if file not in known
        ]
        for file in strays:
            file.unlink()
        return len(strays)

    def tidy(self, packs: set[bytes]) -> int:  # noqa: ARG002  a sole process leaves nothing behind while it runs
        """Remove what other processes made useless; at any time. Return the number of files and payloads."""
        return 0

    def free_bytes(self) -> int:
        """Return what is free on the disk; does not block for long."""
        return shutil.disk_usage(self._home).free


class BeingWritten(Protocol):
    """A large payload on its way. Its methods block."""

    @property
    def name(self) -> str:
        """What the payload is called from then on."""

    def write(self, data: bytes) -> None:
        """Append."""

    def finish(self) -> None:
        """Make it durable."""

    def discard(self) -> None:
        """Forget it."""


class SpoolFile:
    """A spool file being written. Blocks."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self._path = name, path
        with full_disk_named():
            self._file: BinaryIO = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def write(self, data: bytes) -> None:
        """Append."""
        with full_disk_named():
            self._file.write(data)

    def finish(self) -> None:
        """Make the file and its name durable."""
        with full_disk_named():
            sync(self._file)
            self._file.close()
            sync_folder(self._path.parent)

    def discard(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)
        with full_disk_named():
            self._file.close()


class Collector:
    """Takes one record's sealed bytes as they come: in memory while they are few, then in a spool file."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._held = bytearray()
        self._file: BeingWritten | None = None
        # A caller who goes leaves a thread at work behind; what it was about to create must go, too.
        self._turn, self._discarded = threading.Lock(), False
        self._digest = hashlib.sha256()
        self.length = 0

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was taken."""
        return self._digest.digest()

    async def take(self, sealed: bytes) -> None:
        """Take the next bytes.

        Raises:
            DiskLow: there is no room for them.
        """
        if not sealed:
            return
        self._digest.update(sealed)
        self.length += len(sealed)
        self._held += sealed
        if self.length > INLINE_LIMIT:
            await asyncio.to_thread(self._spill)

    async def finish(self) -> Payload:
        """Return where the bytes are; a file is on disk by then.

        Raises:
            DiskLow: there is no room for them.
        """
        if self._file is None:
            return InRow(bytes(self._held))
        await asyncio.to_thread(self._settle, self._file)
        return InSpool(self._file.name)

    async def discard(self) -> None:
        """Forget the bytes, also those that a thread is still writing."""
        if self.length > INLINE_LIMIT:
            await asyncio.to_thread(self._drop)

    def _spill(self) -> None:
        with self._turn:
            if self._discarded:
                return
            self._file = self._file or self._spool.create()
            self._file.write(bytes(self._held))
            self._held.clear()

    def _settle(self, file: BeingWritten) -> None:
        with self._turn:
            if not self._discarded:
                file.finish()

    def _drop(self) -> None:
        with self._turn:
            self._discarded = True
            if self._file is not None:
                self._file.discard()


def sync(file: BinaryIO) -> None:
    """Make a file's content durable."""
    file.flush()
    os.fsync(file.fileno())
