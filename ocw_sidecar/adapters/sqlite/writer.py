"""The one thread that writes: writes that come in together share a transaction, and so its fsync."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from caregrid.database_disk import database_errors_named
from ocw_sidecar.adapters.sql.inbox import Inbox, calls

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from ocw_sidecar.adapters.sql.inbox import Group

T = TypeVar("T")
S = TypeVar("S")


class Writer(Generic[S]):
    """Runs functions of a session, each atomic; what works in bulk comes last in its group.

    A function that raises is undone alone; its neighbours in the group are not. A caller that is cancelled
    while its function runs does not learn whether it was committed.
    """

    def __init__(self, connection: sqlite3.Connection, session: S) -> None:
        """Take the connection and the session on it that functions see."""
        self._connection, self._session = connection, session
        self._inbox: Inbox[S] = Inbox()
        self._thread = threading.Thread(target=self._serve, name="caregrid-queue-writer", daemon=True)
        self._thread.start()

    def begin(self, work: Callable[[S], T]) -> Future[T]:
        """Return the promise of the function's result; does not block."""
        return self._inbox.put(work)

    async def run(self, work: Callable[[S], T]) -> T:
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

    def _commit(self, group: Group[S]) -> None:
        try:
            with database_errors_named():
                group.settle(self._transact(group.works))
        except Exception as exc:  # noqa: BLE001  whatever went wrong belongs to those who wait
            group.fail(exc)

    def _transact(self, works: Sequence[Callable[[S], Any]]) -> list[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = self._run_all(works)
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return outcomes

    def _run_all(self, works: Sequence[Callable[[S], Any]]) -> list[Any]:
        outcomes: dict[int, Any] = {}
        for call, numbers in calls(works):
            found = self._attempt(call)
            if isinstance(found, Exception):
                # Each for itself: what is wrong with one need not be wrong with the others.
                found = [self._attempt(works[number]) for number in numbers] if len(numbers) > 1 else [found]
            outcomes.update(zip(numbers, found, strict=True))
        return [outcomes[number] for number in range(len(works))]

    def _attempt(self, work: Callable[[S], Any]) -> Any:
        self._connection.execute("SAVEPOINT attempt")
        try:
            with database_errors_named():
                result = work(self._session)
        except Exception as exc:
            if not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO attempt")
            result = exc
        self._connection.execute("RELEASE attempt")
        return result
