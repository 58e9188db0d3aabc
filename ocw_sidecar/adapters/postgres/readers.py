"""The threads that read: each has a connection, and each function sees one consistent state."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from ocw_sidecar.adapters.postgres.connection import errors_named
from ocw_sidecar.adapters.postgres.lane import Lane
from ocw_sidecar.adapters.postgres.session import PostgresSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from ocw_sidecar.adapters.postgres.connection import Access, Connection
    from ocw_sidecar.adapters.sql.database import Session

T = TypeVar("T")

#: A connection that the server closed while it was idle shows only when it is used; once more then.
_ATTEMPTS: Final = 2


class Readers:
    """Runs functions that only read."""

    def __init__(self, access: Access, threads: int) -> None:
        self.lanes = [Lane(access, read_only=True) for _ in range(threads)]
        self._own, self._free = threading.local(), list(self.lanes)
        self._pool = ThreadPoolExecutor(
            max_workers=threads,
            thread_name_prefix="caregrid-database-reader",
            initializer=self._begin_thread,
        )

    def begin(self, work: Callable[[Session], T]) -> Future[T]:
        """Return the promise of the function's result; does not block."""
        return self._pool.submit(self._run, work)

    def close(self) -> None:
        """Finish what is under way, then close the connections. Blocks."""
        self._pool.shutdown()
        for lane in self.lanes:
            lane.close()

    def _begin_thread(self) -> None:
        self._own.lane = self._free.pop()

    def _run(self, work: Callable[[Session], T]) -> T:
        lane: Lane = self._own.lane
        for _ in range(_ATTEMPTS - 1):
            with lane.in_time():
                connection = lane.open()
                try:
                    return _read(connection, work)
                except Exception:
                    if not connection.closed:
                        raise
        with lane.in_time():
            return _read(lane.open(), work)


def _read(connection: Connection, work: Callable[[Session], T]) -> T:
    with errors_named():
        try:
            return work(PostgresSession(connection))
        finally:
            if not connection.closed:
                connection.rollback()
