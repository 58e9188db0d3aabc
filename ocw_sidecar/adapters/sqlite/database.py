"""One file (WAL, `synchronous = FULL`): one writing thread, one reading thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from caregrid.database_disk import database_errors_named
from ocw_sidecar.adapters.sql.database import Database, Session
from ocw_sidecar.adapters.sqlite.backup import back_up
from ocw_sidecar.adapters.sqlite.connection import connect, empty_log
from ocw_sidecar.adapters.sqlite.schema import bring_up_to_date, stored_version
from ocw_sidecar.adapters.sqlite.writer import Writer
from ocw_sidecar.pipeline.migrations import SCHEMA_VERSION

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from ocw_sidecar.adapters.sql.database import Result
    from ocw_sidecar.pipeline.sql import Statement

T = TypeVar("T")


class SqliteSession(Session):
    """A transaction on a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: Statement, parameters: Mapping[str, Any] | None = None) -> Result:
        """Run a statement."""
        return self._connection.execute(statement.text, {} if parameters is None else parameters)

    def executemany(self, statement: Statement, parameters: Iterable[Mapping[str, Any]]) -> None:
        """Run a statement for each set of parameters."""
        self._connection.executemany(statement.text, parameters)


class SqliteDatabase(Database):
    """The database in one file. Open it with :meth:`open`."""

    sole: ClassVar[bool] = True

    def __init__(self, path: Path, writing: sqlite3.Connection, reading: sqlite3.Connection) -> None:
        self._path = path
        self._writer: Writer[Session] = Writer(writing, SqliteSession(writing))
        self._reading = reading
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="caregrid-database-reader")

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, create or migrate its schema; before a migration it is copied. Blocks.

        Raises:
            ConfigInvalid: the file was written by a newer CareGrid.
            DiskLow: there is no room for it, or for the copy.
        """
        path.touch(mode=0o600)
        with database_errors_named():
            writing = connect(path)
            try:
                if 0 < (version := stored_version(writing)) < SCHEMA_VERSION:
                    back_up(writing, path, version=version, now=datetime.now(UTC))
                bring_up_to_date(writing)
                return cls(path, writing, connect(path, read_only=True))
            except BaseException:
                writing.close()
                raise

    def begin_write(self, work: Callable[[Session], T]) -> Future[T]:
        """Run a function that writes; see `Database.begin_write`."""
        return self._writer.begin(work)

    def begin_read(self, work: Callable[[Session], T]) -> Future[T]:
        """Run a function that reads; see `Database.begin_read`."""
        return self._reader.submit(self._read, work)

    async def scrub(self) -> bool:
        """Empty the log of earlier states; see `Database.scrub`."""
        return await asyncio.to_thread(empty_log, self._path)

    async def close(self) -> None:
        """Write what is waiting and release the file; see `Database.close`."""
        await asyncio.to_thread(self._reader.shutdown)
        self._reading.close()
        await self._writer.close()

    def _read(self, work: Callable[[Session], T]) -> T:
        self._reading.execute("BEGIN")
        try:
            return work(SqliteSession(self._reading))
        finally:
            self._reading.execute("ROLLBACK")
