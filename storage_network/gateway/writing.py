"""Giving a fragment to one of several nodes, none of which can hold it up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.errors import StorageUnreachable

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Coroutine

    from storage_network.gateway.homes import Homes
    from storage_network.gateway.node_client import NodeClient

#: A node writes and syncs a fragment in a fraction of that; past it another node is given the same.
WRITE_PATIENCE_S: Final = 4.0
#: Nodes that one fragment is given to at the same time; the first that has it keeps it.
MAX_AT_ONCE: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """A fragment that is to be kept; zero bytes at its end may be left out."""

    digest: bytes
    content: bytes | memoryview


class Writer:
    """Writes fragments; what a node may have got besides, the journal deletes."""

    def __init__(self, nodes: NodeClient, homes: Homes) -> None:
        self._nodes, self._homes = nodes, homes

    async def place(self, parcel: Parcel, home: str, spares: deque[str]) -> str | None:
        """Give a fragment to a node, or to one of the spares; return who keeps it, None when nobody does.

        A spare that was not needed in the end is among the spares again.

        Raises:
            DiskLow: what is about to be written could not be noted.
        """
        try:
            return await self._raced(parcel, home, spares)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _raced(self, parcel: Parcel, home: str, spares: deque[str]) -> str | None:
        async with asyncio.TaskGroup() as group:
            race = _Race(group, lambda node: self._kept(node, parcel))
            race.ask(home)
            try:
                while race.runs:
                    keeper = await race.first(hurry=bool(spares))
                    if keeper is not None:
                        for slow in race.asked_before(keeper):
                            self._homes.note_slow(slow)
                        spares.extend(race.asked_after(keeper))
                        return keeper
                    if spares and not race.is_full:
                        race.ask(spares.popleft())
            finally:
                race.stop()
        return None

    async def _kept(self, node: str, parcel: Parcel) -> bool:
        try:
            await self._nodes.put(node, parcel.digest, parcel.content)
        except StorageUnreachable:
            return False
        return True


class _Race:
    """Nodes that are asked the same, in the order in which they were."""

    def __init__(self, group: asyncio.TaskGroup, give: Callable[[str], Coroutine[None, None, bool]]) -> None:
        self._group, self._give = group, give
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._begun: list[str] = []

    @property
    def runs(self) -> bool:
        return bool(self._running)

    @property
    def is_full(self) -> bool:
        return len(self._running) >= MAX_AT_ONCE

    def ask(self, node: str) -> None:
        self._begun.append(node)
        self._running[node] = self._group.create_task(self._give(node))

    async def first(self, *, hurry: bool) -> str | None:
        # Once as many are asked as may be, each has its own deadlines.
        waits = WRITE_PATIENCE_S if hurry and not self.is_full else None
        done, _ = await asyncio.wait(
            self._running.values(), timeout=waits, return_when=asyncio.FIRST_COMPLETED
        )
        ended = [node for node, task in self._running.items() if task in done]
        kept = [node for node in ended if self._running.pop(node).result()]
        return kept[0] if kept else None

    def asked_before(self, keeper: str) -> list[str]:
        return [node for node in self._running if self._begun.index(node) < self._begun.index(keeper)]

    def asked_after(self, keeper: str) -> list[str]:
        return [node for node in self._running if self._begun.index(node) > self._begun.index(keeper)]

    def stop(self) -> None:
        for task in self._running.values():
            task.cancel()
