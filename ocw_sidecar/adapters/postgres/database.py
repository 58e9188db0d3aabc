"""PostgreSQL: a few threads that write and a few that read, each with a connection of its own."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar, Final, Self, TypeVar

from ocw_sidecar.adapters.postgres.connection import connect, require_version
from ocw_sidecar.adapters.postgres.lane import Watch
from ocw_sidecar.adapters.postgres.readers import Readers
from ocw_sidecar.adapters.postgres.schema import bring_up_to_date
from ocw_sidecar.adapters.postgres.writers import Writers
from ocw_sidecar.adapters.sql.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from ocw_sidecar.adapters.postgres.connection import Access
    from ocw_sidecar.adapters.sql.database import Session

T = TypeVar("T")

#: On one machine a second one only makes the groups smaller.
DEFAULT_WRITERS: Final = 1
DEFAULT_READERS: Final = 2


class PostgresDatabase(Database):
    """The database on a server. Open it with :meth:`open`."""

    sole: ClassVar[bool] = False

    def __init__(
        self, access: Access, *, writers: int = DEFAULT_WRITERS, readers: int = DEFAULT_READERS
    ) -> None:
        self._writers = Writers(access, writers)
        self._readers = Readers(access, readers)
        self._watch = Watch([*self._writers.lanes, *self._readers.lanes])

    @classmethod
    def open(
        cls,
        access: Access,
        *,
        migrate: bool = False,
        writers: int = DEFAULT_WRITERS,
        readers: int = DEFAULT_READERS,
    ) -> Self:
        """Connect, create or migrate the schema. Blocks.

        Raises:
            ConfigInvalid: the server does not let us in, or the schema is not ours to use.
            DatabaseUnreachable: there is no answer.
        """
        with closing(connect(access)) as connection:
            require_version(connection)
            bring_up_to_date(connection, migrate=migrate)
        return cls(access, writers=writers, readers=readers)

    def begin_write(self, work: Callable[[Session], T]) -> Future[T]:
        """Run a function that writes; see `Database.begin_write`."""
        return self._writers.begin(work)

    def begin_read(self, work: Callable[[Session], T]) -> Future[T]:
        """Run a function that reads; see `Database.begin_read`."""
        return self._readers.begin(work)

    async def close(self) -> None:
        """Write what is waiting and let the connections go; see `Database.close`."""
        await asyncio.to_thread(self._readers.close)
        await asyncio.to_thread(self._writers.close)
        await asyncio.to_thread(self._watch.close)
