"""A database as what is kept in it sees it: functions that run inside one transaction.

What is written once and runs on both kinds takes a :class:`Session` and never commits by itself; it does not
know which kind it is.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from ocw_sidecar.adapters.sql.inbox import Bulk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from ocw_sidecar.pipeline.sql import Statement

T = TypeVar("T")
Item = TypeVar("Item")


class Row(Protocol):
    """One row; its values by the names of their columns."""

    def __getitem__(self, column: str, /) -> Any:
        """Return a value: bytes, int, str or None."""


class Result(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """The number of rows that were inserted, updated or deleted."""

    def fetchone(self) -> Row | None:
        """Return the next row."""

    def fetchall(self) -> list[Row]:
        """Return the rows that are left."""


class Session(ABC):
    """An open transaction. Its methods block."""

    #: Should a statement fail, all is undone and the function runs once more, with this False. So what a
    #: constraint will refuse need not be looked up first.
    first_try: ClassVar[bool] = False

    @abstractmethod
    def execute(self, statement: Statement, parameters: Mapping[str, Any] | None = None) -> Result:
        """Run a statement."""

    @abstractmethod
    def executemany(self, statement: Statement, parameters: Iterable[Mapping[str, Any]]) -> None:
        """Run a statement for each set of parameters."""

    def insert_all(self, statements: Sequence[Statement], rows: Sequence[Mapping[str, Any]]) -> None:
        """Run statements for each row, of which none needs what another one did; perhaps in one go.

        PostgreSQL's words for such a statement take all values of a parameter as one array.
        """
        for statement in statements:
            self.executemany(statement, rows)


class Database(ABC):
    """Runs functions, each of them atomic.

    What a function reads is one consistent state; two that change the same row never both succeed on what the
    other one has not seen. What a function decides by reading alone, another process may change meanwhile:
    where that matters, it writes to the row that it decided by.
    """

    #: No other process ever works on it.
    sole: ClassVar[bool]

    async def write(self, work: Callable[[Session], T]) -> T:
        """Return the function's result once what it changed survives `kill -9` and power loss.

        A function that raises changes nothing. One whose caller is cancelled may have been committed. It
        may run twice, when the database asks for that, so it must have no effect outside.

        Raises:
            DiskLow: there is no room to write; nothing was changed.
            DatabaseUnreachable: the database does not answer; nothing was changed, or it is not known.
        """
        return await asyncio.wrap_future(self.begin_write(work))

    async def write_in_bulk(
        self, function: Callable[[Session, Sequence[Item]], Sequence[T]], item: Item
    ) -> T:
        """Return what a function of many items returns for this one; otherwise as `write`.

        Items that wait at once are given to the function in one call, in any order. If that raises, it is
        called for each by itself.
        """
        work: Callable[[Session], T] = Bulk(function, item)
        return await asyncio.wrap_future(self.begin_write(work))

    async def read(self, work: Callable[[Session], T]) -> T:
        """Return the result of a function that only reads, from one consistent state.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """
        return await asyncio.wrap_future(self.begin_read(work))

    @abstractmethod
    def begin_write(self, work: Callable[[Session], T]) -> Future[T]:
        """Return the promise of what `write` returns; for threads, which may wait for it. Does not block."""

    @abstractmethod
    def begin_read(self, work: Callable[[Session], T]) -> Future[T]:
        """Return the promise of what `read` returns; for threads, which may wait for it. Does not block."""

    async def scrub(self) -> bool:
        """Have what was deleted leave the database's own files; False when somebody read them: try again.

        Copies made elsewhere, as backups and a server's own log, are out of reach.
        """
        return True

    @abstractmethod
    async def close(self) -> None:
        """Finish what is under way and let go."""
