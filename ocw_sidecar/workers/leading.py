"""What only one process of an account may do: it runs while this process leads, and not a moment longer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ocw_sidecar.ports import Election
    from ocw_sidecar.workers.loop import Worker

log = structlog.get_logger()


class Leading:
    """Starts the leader's tasks on being elected, and ends them on losing the election or on `stop`.

    At `stop` the workers finish the step they are at, as everywhere; the endless tasks are cut short, and at
    last the lasting ones, which the workers need. A lost election cuts all of them short: each step looks at
    the chain before it sends anything.
    """

    def __init__(
        self,
        election: Election,
        *,
        workers: Sequence[Worker],
        endless: Sequence[Callable[[], Awaitable[None]]],
        lasting: Sequence[Callable[[], Awaitable[None]]] = (),
        stop: asyncio.Event,
    ) -> None:
        self._election, self._workers, self._stop = election, workers, stop
        self._endless, self._lasting = endless, lasting

    async def run(self) -> None:
        """Lead whenever elected, until `stop`.

        Raises:
            Exception: a task failed, which is a bug or an endpoint of another chain; the daemon must stop.
        """
        while await self._wait(leads=True):
            log.info("leading")
            await self._lead()
            log.info("leads_no_more")

    async def _lead(self) -> None:
        async with asyncio.TaskGroup() as group:
            # First, so that they run before anybody needs them.
            lasting = [group.create_task(_run(each)) for each in self._lasting]
            endless = [group.create_task(_run(each)) for each in self._endless]
            workers = [group.create_task(each.run(), name=each.name) for each in self._workers]
            lost = await self._wait(leads=False)
            _cancel(endless)
            _cancel([*workers, *lasting] if lost else [])
            if working := [*endless, *workers]:
                await asyncio.wait(working)
            _cancel(lasting)

    async def _wait(self, *, leads: bool) -> bool:
        """Wait for the election's word; return False when it is time to stop."""
        async with asyncio.TaskGroup() as group:
            word = group.create_task(self._election.wait_until(leads=leads))
            end = group.create_task(_wait_for(self._stop))
            await asyncio.wait((word, end), return_when=asyncio.FIRST_COMPLETED)
            word.cancel()
            end.cancel()
        return not self._stop.is_set()


def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def _run(endless: Callable[[], Awaitable[None]]) -> None:
    await endless()


async def _wait_for(event: asyncio.Event) -> None:
    await event.wait()
