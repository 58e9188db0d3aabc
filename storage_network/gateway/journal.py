"""Keeps writing and deleting fragments apart: nothing given to a node is forgotten, nothing in use deleted.

Before a node gets a fragment, that is noted durably under the upload or repair it belongs to (a batch). When
the batch ends, whether well or not, or when the next process starts, what no object has becomes garbage.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from caregrid.errors import DiskLow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from storage_network.gateway.garbage import GarbageList

#: A node may still be writing what it was sent when the upload was given up.
ABANDONED_AGE_S: Final = 60.0

_log = logging.getLogger(__name__)
_batch: ContextVar[int] = ContextVar("batch")


class Journal:
    """What is being written and what is being deleted, of one gateway."""

    def __init__(self, garbage: GarbageList, *, abandoned_age_s: float = ABANDONED_AGE_S) -> None:
        self._garbage, self._abandoned_age_s = garbage, abandoned_age_s
        self._numbers = itertools.count()
        self._unwritten: list[tuple[int, str, bytes]] = []
        self._open: set[int] = set()
        self._ended: dict[int, float] = {}  # batches that are not closed yet: when what they left is due
        self._writing = asyncio.Lock()
        self._deleting: set[tuple[str, bytes]] = set()
        self._deleted = asyncio.Condition()

    async def recover(self) -> None:
        """Close what an earlier process left open; before anything is written."""
        await asyncio.to_thread(self._garbage.recover, due=time.time())

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[None]:
        """Give what is written within to one batch, and close it at the end."""
        number = next(self._numbers)
        self._open.add(number)
        token = _batch.set(number)
        try:
            yield
        finally:
            _batch.reset(token)
            self._unwritten = [intent for intent in self._unwritten if intent[0] != number]
            self._open.discard(number)
            self._ended[number] = time.time() + self._abandoned_age_s
            await self.settle()

    async def settle(self) -> None:
        """Close batches that have ended; on a full disk they wait for the next time."""
        for number, due in list(self._ended.items()):
            try:
                await asyncio.to_thread(self._garbage.settle, number, due=due)
            except DiskLow:
                _log.warning("batch_not_settled reason=disk_full waiting=%d", len(self._ended))
                return
            self._ended.pop(number, None)

    async def intend(self, node: str, digest: bytes) -> None:
        """Note that a node is about to get a fragment; returns when nothing deletes it any more."""
        intent = (_batch.get(), node, digest)
        self._unwritten.append(intent)
        async with self._writing:
            # Whoever comes first writes for all that wait: twelve fragments cost one sync.
            if intent in self._unwritten:
                due, self._unwritten = self._unwritten, []
                try:
                    await asyncio.to_thread(self._garbage.intend, due, is_open=self._open.__contains__)
                except BaseException:
                    self._unwritten += due
                    raise
        async with self._deleted:
            await self._deleted.wait_for(lambda: (node, digest) not in self._deleting)

    @asynccontextmanager
    async def deleting(self, node: str, digests: Sequence[bytes]) -> AsyncIterator[list[bytes]]:
        """Yield those of a node's fragments that nothing uses; nobody writes them meanwhile."""
        marked = {(node, digest) for digest in digests}
        self._deleting |= marked
        try:
            yield await asyncio.to_thread(self._garbage.unused, node, digests)
        finally:
            self._deleting -= marked
            async with self._deleted:
                self._deleted.notify_all()
