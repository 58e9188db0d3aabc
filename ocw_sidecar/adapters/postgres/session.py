"""A transaction on a connection to PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from ocw_sidecar.adapters.postgres.translation import statement as translated
from ocw_sidecar.adapters.postgres.translation import together
from ocw_sidecar.adapters.sql.database import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg

    from ocw_sidecar.adapters.postgres.connection import Connection
    from ocw_sidecar.adapters.sql.database import Result, Row
    from ocw_sidecar.pipeline.sql import Statement


class PostgresSession(Session):
    """A transaction; it began with the first statement."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, statement: Statement, parameters: Mapping[str, Any] | None = None) -> Result:
        """Run a statement."""
        given = {} if parameters is None else parameters
        return cast("Result", self._connection.execute(translated(statement.postgres), given, binary=True))

    def executemany(self, statement: Statement, parameters: Iterable[Mapping[str, Any]]) -> None:
        """Run a statement for each set of parameters, without waiting for each."""
        with self._connection.cursor() as cursor:
            cursor.executemany(translated(statement.postgres), parameters)

    def insert_all(self, statements: Sequence[Statement], rows: Sequence[Mapping[str, Any]]) -> None:
        """Run independent statements for all rows as one."""
        if rows:
            columns = {name: [row[name] for row in rows] for name in rows[0]}
            self._connection.execute(together(tuple(each.postgres for each in statements)), columns)


class PipelinedSession(PostgresSession):
    """A transaction that waits for the server only when a function looks at a result.

    A statement that fails may say so at a later one.
    """

    first_try: ClassVar[bool] = True

    def __init__(self, connection: Connection, pipeline: psycopg.Pipeline) -> None:
        super().__init__(connection)
        self._pipeline = pipeline

    def execute(self, statement: Statement, parameters: Mapping[str, Any] | None = None) -> Result:
        """Send a statement."""
        return _Awaited(super().execute(statement, parameters), self._pipeline)


class _Awaited:
    """A result that is waited for when it is looked at."""

    def __init__(self, result: Result, pipeline: psycopg.Pipeline) -> None:
        self._result, self._pipeline = result, pipeline

    @property
    def rowcount(self) -> int:
        self._pipeline.sync()
        return self._result.rowcount

    def fetchone(self) -> Row | None:
        return self._result.fetchone()

    def fetchall(self) -> list[Row]:
        return self._result.fetchall()
