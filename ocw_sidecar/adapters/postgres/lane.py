"""Connections that come back by themselves, one for each thread, and a watch over them."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from caregrid.errors import ConfigInvalid, DatabaseUnreachable
from ocw_sidecar.adapters.postgres.connection import connect, errors_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocw_sidecar.adapters.postgres.connection import Access, Connection

#: After a vain attempt, whoever comes within this time is refused without another one.
RECONNECT_PAUSE_S: Final = 0.5

#: The server itself ends a statement that takes too long; so many times that, and it is gone.
GRACE_FACTOR: Final = 2

#: How often somebody looks for silent servers.
WATCH_S: Final = 0.5

#: Shards of the tallies; more writing connections than this on one database share number -1.
SHARDS: Final = 256

#: The class of the advisory locks that shards are taken by; any number that no one else uses.
_SHARD_LOCKS: Final = 0x6361_7265


class Lane:
    """One thread's connection; opened when it is needed, and again when it is lost."""

    def __init__(self, access: Access, *, read_only: bool) -> None:
        self._access, self._read_only = access, read_only
        self._connection: Connection | None = None
        self._refused_at = -RECONNECT_PAUSE_S
        self._lock = threading.Lock()  # between the thread's closing and the watch's cutting
        self._late_at = math.inf

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Have the watch cut the connection if the block takes too long."""
        self._late_at = time.monotonic() + GRACE_FACTOR * self._access.statement_timeout_s
        try:
            yield
        finally:
            self._late_at = math.inf

    def open(self) -> Connection:
        """Return the connection.

        Raises:
            DatabaseUnreachable: there is none to be had.
        """
        if self._connection is not None and not self._connection.closed:
            return self._connection
        if time.monotonic() - self._refused_at < RECONNECT_PAUSE_S:
            raise DatabaseUnreachable
        try:
            return self._reopen()
        except ConfigInvalid as exc:
            # It let us in when we started; whoever is changing it may be half done.
            self._refused_at = time.monotonic()
            raise DatabaseUnreachable(str(exc)) from exc
        except DatabaseUnreachable:
            self._refused_at = time.monotonic()
            raise

    def close(self) -> None:
        """Let the connection go."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def cut_if_late(self) -> None:
        """Shut the connection's socket if its thread waits for too long; called by the watch."""
        with self._lock:
            if time.monotonic() < self._late_at or self._connection is None or self._connection.closed:
                return
            with suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as ours:
                ours.shutdown(socket.SHUT_RDWR)

    def _reopen(self) -> Connection:
        self.close()
        connection = self._connection = connect(self._access, read_only=self._read_only)
        if not self._read_only:
            try:
                _take_shard(connection)
            except BaseException:
                self.close()
                raise
        return connection


class Watch:
    """A thread that cuts connections whose server has fallen silent: the kernel alone would wait for ever."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes, self._ended = lanes, threading.Event()
        self._thread = threading.Thread(target=self._serve, name="caregrid-database-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it. Blocks."""
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ended.wait(WATCH_S):
            for lane in self._lanes:
                lane.cut_if_late()


def _take_shard(connection: Connection) -> None:
    with errors_named():
        row = connection.execute(
            "SELECT n FROM generate_series(0, %s) AS n"
            " WHERE pg_try_advisory_lock(%s::integer, n::integer) LIMIT 1",
            (SHARDS - 1, _SHARD_LOCKS),
        ).fetchone()
        shard = "" if row is None else str(row["n"])
        connection.execute("SELECT set_config('caregrid.shard', %s, false)", (shard,))
        connection.commit()
