"""Databases of both kinds for tests, empty and with the present schema."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING

from ocw_sidecar.adapters.postgres import Access, PostgresDatabase
from ocw_sidecar.adapters.postgres.connection import connect
from ocw_sidecar.adapters.postgres.schema import bring_up_to_date
from ocw_sidecar.adapters.sqlite import SqliteDatabase
from tests.postgres_server import PostgresServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ocw_sidecar.adapters.sql import Database

TEMPLATE = "with_schema"


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A server that has a database to copy; blocks."""
    server = PostgresServer(durable=durable)
    try:
        server.create()
        server.start()
        server.run(f"CREATE DATABASE {TEMPLATE}")
        with closing(connect(Access(server.url(TEMPLATE)))) as connection:
            bring_up_to_date(connection, migrate=False)
        yield server
    finally:
        server.stop()
        server.remove()


@asynccontextmanager
async def sqlite_database(folder: Path) -> AsyncIterator[Database]:
    """A database in a file of the folder."""
    opened = SqliteDatabase.open(folder / "queue.sqlite3")
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def postgres_database(server: PostgresServer) -> AsyncIterator[Database]:
    """A database of its own on the server."""
    name = await asyncio.to_thread(server.create_database, template=TEMPLATE)
    opened = PostgresDatabase(Access(server.url(name)))
    try:
        yield opened
    finally:
        await opened.close()
        await asyncio.to_thread(server.drop_database, name)
