"""The one thread that writes: writes that come in together share a transaction, and so its fsync."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from ocw_sidecar.adapters.sql.inbox import Inbox
from ocw_sidecar.adapters.sqlite.connection import disk_full_as_error

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from concurrent.futures import Future

    from ocw_sidecar.adapters.sql.inbox import Group

T = TypeVar("T")


class Writer:
    """Runs functions on the writing connection, each atomic, in the order they come.

    A function that raises is undone alone; its neighbours in the group are not. A caller that is cancelled
    while its function runs does not learn whether it was committed.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._inbox: Inbox[sqlite3.Connection] = Inbox()
        self._thread = threading.Thread(target=self._serve, name="caregrid-queue-writer", daemon=True)
        self._thread.start()

    def begin(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Return the promise of the function's result; does not block."""
        return self._inbox.put(work)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return the function's result, once it is durable.

        Raises:
            DiskLow: there is no room to write; nothing was changed.
        """
        return await asyncio.wrap_future(self.begin(work))

    async def close(self) -> None:
        """Write what is waiting, then close the connection."""
        self._inbox.close(threads=1)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _serve(self) -> None:
        for group in self._inbox.groups():
            self._commit(group)

    def _commit(self, group: Group[sqlite3.Connection]) -> None:
        try:
            with disk_full_as_error():
                group.settle(self._transact(group.works))
        except Exception as exc:  # noqa: BLE001  whatever went wrong belongs to those who wait
            group.fail(exc)

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
