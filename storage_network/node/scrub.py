"""Scrubbing: fragments and tags are read and hashed once in a period, so that silent damage is found."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.errors import DigestMismatch, NotFound
from storage_network import files

if TYPE_CHECKING:
    from pathlib import Path

    from storage_network.node.fragments import FragmentStore

#: As disk arrays do it by default.
DEFAULT_PERIOD_S: Final = 14 * 24 * 3600.0
#: Readers and writers come first.
DEFAULT_MAX_RATE: Final = 32 * 1024 * 1024
#: With nothing to scrub, or after a disk error, it looks again after this.
IDLE_S: Final = 60.0

#: How often the place is noted at which a restart goes on.
_NOTE_EVERY: Final = 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScrubSettings:
    """How thoroughly to scrub; a period of 0 switches it off."""

    period_s: float = DEFAULT_PERIOD_S
    max_rate: int = DEFAULT_MAX_RATE  #: bytes a second


class Scrubber:
    """Reads one fragment after another, in the order of their hashes, with pauses.

    The counts are of this process. A restart goes on where the last process stopped.
    """

    def __init__(self, store: FragmentStore, cursor: Path, settings: ScrubSettings) -> None:
        self._store, self._cursor, self._settings = store, cursor, settings
        self.checked = 0  #: fragments read
        self.damaged = 0  #: of those, set aside
        self.damaged_tags = 0  #: sets of tags that were damaged, and deleted
        self.finished_at: float | None = None  #: when a pass last ended, in Unix seconds

    async def run(self) -> None:
        """Scrub for ever."""
        while self._settings.period_s > 0:
            try:
                worked = await self.scrub()
            except OSError as exc:
                _log.error("scrub_interrupted errno=%s", exc.errno)
                worked = False
            if not worked:
                await asyncio.sleep(min(IDLE_S, self._settings.period_s))

    async def scrub(self) -> bool:
        """Finish one pass and tell whether there was anything to read."""
        after = await asyncio.to_thread(self._last_place)
        every = await asyncio.to_thread(self._store.digests)
        due = [digest for digest in every if digest > after]
        pause_s = self._pause_s(len(every))
        for number, digest in enumerate(due, start=1):
            await self._check(digest)
            if number % _NOTE_EVERY == 0:
                await asyncio.to_thread(self._note, digest)
            await asyncio.sleep(pause_s)
        await asyncio.to_thread(self._note, b"")
        self.finished_at = time.time()
        return bool(due)

    async def _check(self, digest: bytes) -> None:
        try:
            await asyncio.to_thread(self._store.check, digest)
        except NotFound:
            return
        except DigestMismatch:
            self.damaged += 1
            _log.warning("fragment_set_aside digest=%s", digest.hex())
        self.damaged_tags += await asyncio.to_thread(self._store.tags.scrub, digest)
        self.checked += 1

    def _pause_s(self, fragments: int) -> float:
        if not fragments:
            return 0.0
        return max(self._settings.period_s / fragments, self._store.fragment_size / self._settings.max_rate)

    def _last_place(self) -> bytes:
        try:
            return bytes.fromhex(self._cursor.read_text())
        except (FileNotFoundError, ValueError):
            return b""

    def _note(self, digest: bytes) -> None:
        files.write_atomically(self._cursor, digest.hex().encode())
