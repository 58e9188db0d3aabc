"""The one thread that writes: writes that come in together share a transaction, and so its fsync."""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ocw_sidecar.adapters.sqlite.connection import disk_full_as_error

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

T = TypeVar("T")

#: Bounds what one transaction holds back; by then the fsync is well shared.
MAX_GROUP: Final = 128

_Ticket = tuple["Callable[[sqlite3.Connection], Any]", "Future[Any]"]


class Writer:
    """Runs functions on the writing connection, each atomic, in the order they come.

    A function that raises is undone alone; its neighbours in the group are not. A caller that is cancelled
    while its function runs does not learn whether it was committed.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._inbox: queue.SimpleQueue[_Ticket | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="caregrid-queue-writer", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return the function's result, once it is durable.

        Raises:
            DiskLow: there is no room to write; nothing was changed.
        """
        ticket: Future[T] = Future()
        self._inbox.put((work, ticket))
        return await asyncio.wrap_future(ticket)

    async def close(self) -> None:
        """Write what is waiting, then close the connection."""
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _serve(self) -> None:
        while (first := self._inbox.get()) is not None:
            group, open_ = self._gather(first)
            self._commit(group)
            if not open_:
                return

    def _gather(self, first: _Ticket) -> tuple[list[_Ticket], bool]:
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                ticket = self._inbox.get_nowait()
            except queue.Empty:
                break
            if ticket is None:
                return group, False
            group.append(ticket)
        return group, True

    def _commit(self, group: list[_Ticket]) -> None:
        wanted = [(work, ticket) for work, ticket in group if ticket.set_running_or_notify_cancel()]
        try:
            with disk_full_as_error():
                outcomes = self._transact([work for work, _ in wanted])
        except Exception as exc:  # noqa: BLE001  whatever went wrong belongs to those who wait
            outcomes = [exc] * len(wanted)
        for (_, ticket), outcome in zip(wanted, outcomes, strict=True):
            _settle(ticket, outcome)

    def _transact(self, works: list[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [self._attempt(work) for work in works]
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return outcomes

    def _attempt(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        self._connection.execute("SAVEPOINT attempt")
        try:
            with disk_full_as_error():
                result = work(self._connection)
        except Exception as exc:
            if not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO attempt")
            result = exc
        self._connection.execute("RELEASE attempt")
        return result


def _settle(ticket: Future[Any], outcome: Any) -> None:
    if isinstance(outcome, Exception):
        ticket.set_exception(outcome)
    else:
        ticket.set_result(outcome)
