"""A database as what is kept in it sees it: functions that run inside one transaction.

What is written once and runs on both kinds takes a :class:`Session` and never commits by itself; it does not
know which kind it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ocw_sidecar.pipeline.sql import Statement

T = TypeVar("T")


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

    @abstractmethod
    def execute(self, statement: Statement, parameters: Mapping[str, Any] | None = None) -> Result:
        """Run a statement."""

    @abstractmethod
    def executemany(self, statement: Statement, parameters: Iterable[Mapping[str, Any]]) -> None:
        """Run a statement for each set of parameters."""


class Database(ABC):
    """Runs functions, each of them atomic."""

    @abstractmethod
    async def write(self, work: Callable[[Session], T]) -> T:
        """Return the function's result once what it changed survives `kill -9` and power loss.

        A function that raises changes nothing. One whose caller is cancelled may have been committed. It
        may run twice, when the database asks for that, so it must have no effect outside.

        Raises:
            DiskLow: there is no room to write; nothing was changed.
            DatabaseUnreachable: the database does not answer; nothing was changed, or it is not known.
        """

    @abstractmethod
    async def read(self, work: Callable[[Session], T]) -> T:
        """Return the result of a function that only reads, from one consistent state.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish what is under way and let go."""
