"""The threads that write: writes that come in together share a transaction, and so its sync of the log.

A group first runs without savepoints and without waiting for answers that nobody reads, which nearly always
succeeds. When something in it fails, all of it is undone and run again, each function behind a savepoint of
its own; functions may run twice.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from psycopg import errors

from caregrid.errors import DatabaseUnreachable
from ocw_sidecar.adapters.postgres.connection import errors_named
from ocw_sidecar.adapters.postgres.lane import Lane
from ocw_sidecar.adapters.postgres.session import PipelinedSession, PostgresSession
from ocw_sidecar.adapters.sql.inbox import Inbox, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from ocw_sidecar.adapters.postgres.connection import Access, Connection
    from ocw_sidecar.adapters.sql.database import Session
    from ocw_sidecar.adapters.sql.inbox import Group

T = TypeVar("T")

#: Each attempt loses only when somebody else's succeeds, so this many in a row mean a standing conflict.
MAX_ATTEMPTS: Final = 12

#: From this attempt on a group is run one by one, so that one hot row does not hold back its neighbours.
ALONE_FROM: Final = 4

#: The most that an attempt waits after a conflict; long enough for the other transaction to end.
CONFLICT_PAUSE_S: Final = 0.02

#: What the database says when another transaction was quicker; run again, it will be seen.
_CONFLICTS: Final = (errors.SerializationFailure, errors.DeadlockDetected)

if TYPE_CHECKING:
    _Work = Callable[[Session], Any]


class Writers:
    """Runs functions on some connections, each atomic. Two that wait at once may run in either order."""

    def __init__(self, access: Access, threads: int) -> None:
        self._inbox: Inbox[Session] = Inbox()
        self.lanes = [Lane(access, read_only=False) for _ in range(threads)]
        self._threads = [
            threading.Thread(
                target=_Thread(self._inbox, lane).serve,
                name=f"caregrid-database-writer-{number}",
                daemon=True,
            )
            for number, lane in enumerate(self.lanes)
        ]
        for thread in self._threads:
            thread.start()

    def begin(self, work: Callable[[Session], T]) -> Future[T]:
        """Return the promise of the function's result; does not block."""
        return self._inbox.put(work)

    def close(self) -> None:
        """Write what is waiting, then close the connections. Blocks."""
        self._inbox.close(len(self._threads))
        for thread in self._threads:
            thread.join()


class _Thread:
    def __init__(self, inbox: Inbox[Session], lane: Lane) -> None:
        self._inbox, self._lane = inbox, lane

    def serve(self) -> None:
        for group in self._inbox.groups():
            self._commit(group)
        self._lane.close()

    def _commit(self, group: Group[Session]) -> None:
        try:
            group.settle(self._run(group.works))
        except Exception as exc:  # noqa: BLE001  whatever went wrong belongs to those who wait
            group.fail(exc)

    def _run(self, works: Sequence[_Work]) -> list[Any]:
        try:
            return self._transact(works, _run_plainly)
        except _Undone:
            return self._run_with_care(works)

    def _run_with_care(self, works: Sequence[_Work]) -> list[Any]:
        for _ in range(ALONE_FROM):
            try:
                return self._transact(works, _run_each)
            except _Undone:
                time.sleep(CONFLICT_PAUSE_S * random.random())  # noqa: S311  a pause, not a secret
        return [self._run_alone(work) for work in works]

    def _run_alone(self, work: _Work) -> Any:
        for _ in range(MAX_ATTEMPTS):
            try:
                return self._transact([work], _run_each)[0]
            except _Undone:
                time.sleep(CONFLICT_PAUSE_S * random.random())  # noqa: S311  likewise
            except Exception as exc:  # noqa: BLE001  belongs to the one who waits for this function
                return exc
        return DatabaseUnreachable("the database is too busy with conflicting writes; try again")

    def _transact(self, works: Sequence[_Work], run: Callable[..., list[Any]]) -> list[Any]:
        with self._lane.in_time():
            connection = self._lane.open()
            try:
                outcomes = run(connection, works)
            except Exception as exc:
                raise self._undo(connection, exc, again=run is _run_plainly) from exc
            return self._finish(connection, outcomes)

    def _undo(self, connection: Connection, fault: Exception, *, again: bool) -> Exception:
        # Nothing was committed: whatever it is, doing all of it again is safe.
        if connection.closed or connection.broken:
            self._lane.close()
            return _Undone()
        _roll_back(connection)
        return _Undone() if again or isinstance(fault, _CONFLICTS) else _translated(fault)

    def _finish(self, connection: Connection, outcomes: list[Any]) -> list[Any]:
        try:
            with errors_named():
                connection.commit()
        except _CONFLICTS as exc:
            _roll_back(connection)
            raise _Undone from exc
        except Exception:
            # The answer to the commit is lost, and with it whether there was one.
            self._lane.close()
            raise
        return outcomes


class _Undone(Exception):
    """Nothing of the group was committed; it may be run again."""


def _run_plainly(connection: Connection, works: Sequence[_Work]) -> list[Any]:
    with connection.pipeline() as pipeline:
        session = PipelinedSession(connection, pipeline)
        outcomes: dict[int, Any] = {}
        for call, numbers in calls(works):
            outcomes.update(zip(numbers, call(session), strict=True))
        pipeline.sync()
    return [outcomes[number] for number in range(len(works))]


def _run_each(connection: Connection, works: Sequence[_Work]) -> list[Any]:
    return [_attempt(connection, work) for work in works]


def _attempt(connection: Connection, work: _Work) -> Any:
    connection.execute("SAVEPOINT attempt")
    try:
        result = work(PostgresSession(connection))
    except _CONFLICTS:
        raise
    except Exception as exc:
        if connection.closed or connection.broken:
            raise
        connection.execute("ROLLBACK TO attempt")
        result = _translated(exc)
    connection.execute("RELEASE attempt")
    return result


def _roll_back(connection: Connection) -> None:
    try:
        connection.rollback()
    except psycopg.Error:
        connection.close()


def _translated(fault: Exception) -> Exception:
    try:
        with errors_named():
            raise fault  # noqa: TRY301  this is how the table of errors is read
    except Exception as exc:  # noqa: BLE001  likewise
        return exc
