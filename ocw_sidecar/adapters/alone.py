"""What a sole process has in place of an election and of tasks in a database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from ocw_sidecar.ports import Election, TaskRunner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()


class AlwaysLeads(Election):
    """The only process leads."""

    @property
    def leads(self) -> bool:
        """Always; see `Election.leads`."""
        return True

    async def wait_until(self, *, leads: bool) -> None:
        """Return at once, or never; see `Election.wait_until`."""
        if not leads:
            await asyncio.Event().wait()

    async def run(self) -> None:
        """Have nothing to do until cancelled; see `Election.run`."""
        await asyncio.Event().wait()


class LocalTasks(TaskRunner):
    """Tasks of this process; what waits is forgotten when it ends."""

    def __init__(self) -> None:
        self._functions: dict[str, Callable[[int], Awaitable[object]]] = {}
        self._waiting: dict[str, asyncio.Queue[int]] = {}

    def register(self, name: str, function: Callable[[int], Awaitable[object]]) -> None:
        """Say what a name runs; see `TaskRunner.register`."""
        self._functions[name] = function
        self._waiting[name] = asyncio.Queue(maxsize=1)

    async def defer(self, name: str, *, height: int) -> bool:
        """Have a function run; see `TaskRunner.defer`."""
        try:
            self._waiting[name].put_nowait(height)
        except asyncio.QueueFull:
            return False
        return True

    async def run(self) -> None:
        """Run what is deferred; see `TaskRunner.run`."""
        async with asyncio.TaskGroup() as group:
            for name in self._functions:
                group.create_task(self._serve(name), name=f"task-{name}")

    async def _serve(self, name: str) -> None:
        while True:
            height = await self._waiting[name].get()
            try:
                await self._functions[name](height)
            except Exception as exc:  # noqa: BLE001  one task's fault must not stop the others
                log.error("task_failed", task=name, fault=type(exc).__name__)  # noqa: TRY400  a trace may quote content
