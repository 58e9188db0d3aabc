"""One client on one thread of its own, with failover over a list of endpoints.

Work is handed to a thread, since the library blocks. Whatever the thread waits for has a deadline; should it
get stuck all the same, its socket is closed under it and another thread takes over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from caregrid.chain.endpoints import Endpoints
from caregrid.chain.genesis import Genesis
from caregrid.chain.worker import Worker
from caregrid.errors import ChainUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from caregrid.chain.answers import AnswerCache

T = TypeVar("T")

#: Connecting to a few endpoints and reading metadata takes seconds; whoever takes longer is stuck.
RUN_TIMEOUT_S: Final = 90.0
#: Saying goodbye to a node is a courtesy.
CLOSE_TIMEOUT_S: Final = 5.0


class Connection:
    """Runs work on a client that is connected to the first endpoint that answers."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        genesis: Genesis | bytes | None = None,
        cache: AnswerCache | None = None,
    ) -> None:
        """Remember the endpoints; connecting is left to the first piece of work.

        Args:
            urls: WebSocket URLs, the preferred one first.
            genesis: the hash of block 0 that every endpoint must have; None takes the first one's.
                Connections that share a `Genesis` are to the same chain, whichever of them is first.
            cache: where answers that never change are looked for first; the caller's to close.

        Raises:
            ConfigInvalid: there is no URL.
        """
        self._worker = Worker(Endpoints(urls), Genesis.of(genesis), cache=cache)

    @property
    def breaks(self) -> int:
        """How often a connection broke: each time, whatever was sent may not have arrived."""
        return self._worker.breaks

    async def run(self, work: Callable[[Any], T], *, repeat: bool = True) -> T:
        """Run work on the connection's thread.

        Args:
            work: gets the :class:`~caregrid.chain.client.Client`; must not keep it.
            repeat: whether the work may be done again on another connection, when one fails in the middle.

        Raises:
            ChainUnreachable: no endpoint answered, or the connection failed and `repeat` is false.
            ConfigInvalid: all endpoints belong to another chain.
            StateDiscarded: no endpoint keeps the past that was asked for.
            ProtocolViolation: the answer does not fit the runtime's types.
        """
        while True:
            worker, token = self._worker, object()
            future = asyncio.get_running_loop().run_in_executor(
                worker.thread, worker.run, token, work, repeat
            )
            future.add_done_callback(_heard)
            await self._watch(worker, token, future)
            # Cancelled, it was waiting behind another piece of work that got stuck.
            if not future.cancelled():
                return future.result()

    async def close(self) -> None:
        """Disconnect and end the thread."""
        worker = self._worker
        future = asyncio.get_running_loop().run_in_executor(worker.thread, worker.disconnect)
        future.add_done_callback(_heard)
        await asyncio.wait([future], timeout=CLOSE_TIMEOUT_S)
        worker.abandon()

    async def _watch(self, worker: Worker, token: object, future: asyncio.Future[Any]) -> None:
        """Wait for work; give the worker up when what it is at takes too long."""
        while not future.done():
            await asyncio.wait([future], timeout=max(0.0, RUN_TIMEOUT_S - worker.busy_s) + 0.01)
            if not future.done() and worker.busy_s > RUN_TIMEOUT_S:
                self._replace(worker)
                if worker.current is token:
                    raise ChainUnreachable(f"a chain endpoint did not answer within {RUN_TIMEOUT_S:g} s")

    def _replace(self, worker: Worker) -> None:
        if self._worker is worker:
            self._worker = worker.successor()
        worker.abandon()


def _heard(future: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for any more."""
    if not future.cancelled():
        future.exception()
