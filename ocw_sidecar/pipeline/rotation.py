"""Wraps every key anew after the master key got a new version. Content and data keys stay what they are.

What is done is seen by the rows themselves: each names the version that wrapped it. So a run that was killed
is gone on with by the next one, and it may run beside sidecars that take records in.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from caregrid.errors import WrongKey
from caregrid.keys import KeyStore
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint, reach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

#: Rows in one transaction, and in one request to a remote key store.
PAGE: Final = 128
#: The second pass finds what came in beside the first; more are for a sidecar that is slow to notice.
MAX_PASSES: Final = 5

#: Takes how many keys were looked at, and how many there are.
Progress: TypeAlias = "Callable[[int, int], None]"


class Shelf(StrEnum):
    """Where wrapped keys are, in the order of a pass: what is copied elsewhere comes before that."""

    RESEALED = "compaction_records"
    RECORDS = "keys"
    CHANNELS = "channels"
    FINGERPRINTS = "fingerprint_keys"


@dataclass(frozen=True, slots=True)
class WrappedRow:
    """A wrapped key, and the id that it is bound to."""

    id: bytes
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Swap:
    """A row as it was read, and what it is to hold."""

    row: WrappedRow
    wrapped: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewrapped:
    """What a run came to."""

    version: int  #: what everything is wrapped by now, but for what is left
    changed: int
    left: int  #: keys that do not open, so they were left as they are


class WrappedKeys(ABC):
    """The wrapped keys in a database."""

    @abstractmethod
    async def count(self, shelf: Shelf) -> int:
        """Return how many there are."""

    @abstractmethod
    async def page(self, shelf: Shelf, *, after: bytes, limit: int) -> Sequence[WrappedRow]:
        """Return the next ones by id."""

    @abstractmethod
    async def swap(self, shelf: Shelf, swaps: Sequence[Swap]) -> int:
        """Change rows that are still as they were read, in one transaction; return how many were.

        Raises:
            DiskLow: there is no room; nothing was changed.
        """


async def rewrap_everything(keys: WrappedKeys, store: KeyStore, progress: Progress) -> Rewrapped:
    """Wrap all by the newest version.

    Raises:
        DiskLow, DatabaseUnreachable, KeyStoreUnreachable, KeyStoreLocked: what is done is done; run it again.
    """
    version, changed, left = await _newest(store), 0, 0
    total = sum([await keys.count(shelf) for shelf in Shelf])
    for _ in range(MAX_PASSES):
        run = _Pass(keys, store, version, lambda seen: progress(min(seen, total), total))
        await run.through()
        changed, left = changed + run.changed, run.left
        if not run.changed:
            break
    return Rewrapped(version=version, changed=changed, left=left)


async def is_finished(keys: WrappedKeys, store: KeyStore) -> bool:
    """Tell whether the newest version wraps everything."""
    version = await _newest(store)
    for shelf in Shelf:
        async for page in _pages(keys, shelf):
            if any(_is_under_another(row, version) for row in page):
                return False
    return True


class _Pass:
    def __init__(self, keys: WrappedKeys, store: KeyStore, version: int, seen: Callable[[int], None]) -> None:
        self._keys, self._store, self._version, self._tell = keys, store, version, seen
        self.changed = self.left = self._seen = 0

    async def through(self) -> None:
        for shelf in Shelf:
            async for page in _pages(self._keys, shelf):
                await self._rewrap(shelf, [row for row in page if _is_under_another(row, self._version)])
                self._seen += len(page)
                self._tell(self._seen)

    async def _rewrap(self, shelf: Shelf, rows: Sequence[WrappedRow]) -> None:
        if not rows:
            return
        kept = [(row.id, row.wrapped) for row in rows]
        done = await asyncio.to_thread(self._store.rewrap_all, kept)
        swaps = [Swap(row, new) for row, new in zip(rows, done, strict=True) if new is not None]
        self.left += len(rows) - len(swaps)
        if swaps:
            self.changed += await self._keys.swap(shelf, swaps)
            reach(WorkerCrashPoint.REWRAPPED)


async def _pages(keys: WrappedKeys, shelf: Shelf) -> AsyncIterator[Sequence[WrappedRow]]:
    after = b""
    while page := await keys.page(shelf, after=after, limit=PAGE):
        yield page
        after = page[-1].id


async def _newest(store: KeyStore) -> int:
    return (await asyncio.to_thread(store.versions))[-1].number


def _is_under_another(row: WrappedRow, version: int) -> bool:
    try:
        return KeyStore.version_of(row.wrapped) != version
    except WrongKey:
        return True
