"""Opens what the settings name: the database of either kind, and what goes with it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import ConfigInvalid
from ocw_sidecar.adapters.alone import AlwaysLeads, LocalTasks
from ocw_sidecar.adapters.sql.pieces import SqlPieces
from ocw_sidecar.adapters.sqlite import SqliteDatabase
from ocw_sidecar.pipeline.shared_spool import SharedSpool
from ocw_sidecar.pipeline.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ocw_sidecar.adapters.postgres import Access
    from ocw_sidecar.adapters.redis import RedisCache
    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.ports import Election, TaskRunner
    from ocw_sidecar.settings import Settings

QUEUE_FILE: Final = "queue.sqlite3"


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database, create or migrate its schema; close it at the end.

    Raises:
        ConfigInvalid: it is not usable; the message says what to do.
        DatabaseUnreachable: PostgreSQL does not answer.
        DiskLow: there is no room for it.
    """
    opened = await asyncio.to_thread(_open, settings)
    try:
        yield opened
    finally:
        await opened.close()


def open_spool(settings: Settings, database: Database) -> Spool:
    """Return where large payloads lie: in files of a sole process, else in the database."""
    return Spool(settings.home) if database.sole else SharedSpool(settings.home, SqlPieces(database))


def open_election(settings: Settings, account: bytes) -> Election:
    """Return who decides which process leads for an account."""
    if settings.database.url is None:
        return AlwaysLeads()
    _postgres()
    from ocw_sidecar.adapters.postgres.election import PostgresElection  # noqa: PLC0415  needs an extra

    return PostgresElection(_access(settings), account)


@asynccontextmanager
async def open_tasks(settings: Settings) -> AsyncIterator[TaskRunner]:
    """Open what runs tasks; close it at the end.

    Raises:
        ConfigInvalid, DatabaseUnreachable: as `open_database`.
    """
    if settings.database.url is None:
        yield LocalTasks()
        return
    _postgres()
    from ocw_sidecar.adapters.postgres.tasks import PostgresTasks  # noqa: PLC0415  needs an extra

    async with PostgresTasks.open(_access(settings)) as opened:
        yield opened


def open_cache(settings: Settings, secret: bytes) -> RedisCache | None:
    """Return the cache of what the chain's nodes answer, the caller's to close; None: none is configured.

    Raises:
        ConfigInvalid: the package that it needs is not installed.
    """
    return None if settings.redis.url is None else redis_module().RedisCache(settings.redis, secret)


def redis_module() -> Any:
    """Return `ocw_sidecar.adapters.redis`.

    Raises:
        ConfigInvalid: the package that it needs is not installed.
    """
    try:
        from ocw_sidecar.adapters import redis  # noqa: PLC0415  needs an extra
    except ModuleNotFoundError as exc:
        raise ConfigInvalid("`redis.url` needs a package more; install `caregrid[redis]`") from exc
    return redis


def _open(settings: Settings) -> Database:
    own = settings.database
    if own.url is None:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SqliteDatabase.open(settings.home / QUEUE_FILE)
    opened: Database = _postgres().PostgresDatabase.open(
        _access(settings), migrate=own.migrate, writers=own.writers, readers=own.readers
    )
    return opened


def _access(settings: Settings) -> Access:
    own = settings.database
    assert own.url is not None  # noqa: S101  the callers have looked
    access: Access = _postgres().Access(
        url=own.url.get_secret_value(),
        password=_password(settings),
        connect_timeout_s=own.connect_timeout_s,
        statement_timeout_s=own.statement_timeout_s,
    )
    return access


def _password(settings: Settings) -> str | None:
    path = settings.database.password_file
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as exc:
        raise ConfigInvalid(
            f"the password file {path} cannot be read; write one, or correct `database.password_file`"
        ) from exc


def _postgres() -> Any:
    try:
        from ocw_sidecar.adapters import postgres  # noqa: PLC0415  needs an extra
    except ModuleNotFoundError as exc:
        raise ConfigInvalid(
            "`database.url` names PostgreSQL, which needs packages more; install `caregrid[postgres]`"
        ) from exc
    return postgres
