"""Connections to PostgreSQL, each with deadlines, and what its errors mean."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import conninfo, errors
from psycopg.rows import DictRow, dict_row
from psycopg.types.numeric import Int8Dumper, NumericBinaryLoader, NumericLoader

from caregrid.errors import ConfigInvalid, DatabaseUnreachable, DiskLow

if TYPE_CHECKING:
    from collections.abc import Iterator


Connection = psycopg.Connection[DictRow]

#: A server that is up answers at once; libpq tries every address of a name for this long.
CONNECT_TIMEOUT_S: Final = 5

#: No statement of ours reads a whole table; one that takes longer waits for a sick disk.
STATEMENT_TIMEOUT_S: Final = 30.0

#: Our transactions are short; a longer wait for a lock means that its holder hangs.
LOCK_TIMEOUT_S: Final = 10.0

#: The server ends a transaction whose process stopped in the middle, and so frees what it holds.
IDLE_TRANSACTION_TIMEOUT_S: Final = 60.0

#: Idle time, interval and count of TCP probes: a network that swallows packets is noticed within 11 s.
KEEPALIVE: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}

#: What we sent and the other side never confirmed, after this long, breaks the connection.
TCP_USER_TIMEOUT_S: Final = 11.0

#: Each connection runs some 60 different statements; all stay prepared.
PREPARED_STATEMENTS: Final = 512

#: Every statement has its index. A plan made while a table is small must not read all of it when it has
#: grown, and compiling plans would take longer than running them.
PLANNING: Final = {"enable_seqscan": "off", "jit": "off"}

#: The first version that ends sessions for their silence, which the election relies on.
OLDEST_SERVER: Final = 140_000

_SETUP_FAULTS: Final = (
    errors.InvalidPassword,
    errors.InvalidAuthorizationSpecification,
    errors.InvalidCatalogName,
)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the database; never printed, since it may hold a password."""

    url: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    connect_timeout_s: int = CONNECT_TIMEOUT_S
    statement_timeout_s: float = STATEMENT_TIMEOUT_S

    def parameters(self, *, statement_timeout_s: float | None = None) -> dict[str, Any]:
        """Return what psycopg connects with."""
        own = {} if self.password is None else {"password": self.password}
        given = conninfo.conninfo_to_dict(self.url, **own)
        limits = {
            "statement_timeout": statement_timeout_s or self.statement_timeout_s,
            "lock_timeout": LOCK_TIMEOUT_S,
            "idle_in_transaction_session_timeout": IDLE_TRANSACTION_TIMEOUT_S,
        }
        values = PLANNING | {name: str(int(seconds * 1000)) for name, seconds in limits.items()}
        options = " ".join(f"-c {name}={value}" for name, value in values.items())
        return {
            "application_name": "caregrid",
            "tcp_user_timeout": int(TCP_USER_TIMEOUT_S * 1000),
            **KEEPALIVE,
            "target_session_attrs": "read-write",
            **given,
            "connect_timeout": self.connect_timeout_s,
            "options": f"{given.get('options', '')} {options}".strip(),
        }


def connect(access: Access, *, read_only: bool = False) -> Connection:
    """Open a connection; each transaction on it sees one consistent state.

    Raises:
        ConfigInvalid: the server is there, but refuses the user, the password or the database's name.
        DatabaseUnreachable: there is no answer.
    """
    with errors_named():
        connection: Connection = psycopg.connect(**access.parameters(), row_factory=dict_row)
    prepare(connection)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = read_only
    return connection


def require_version(connection: Connection) -> None:
    """Refuse a server that lacks what we rely on.

    Raises:
        ConfigInvalid: it is too old.
    """
    if connection.info.server_version < OLDEST_SERVER:
        raise ConfigInvalid(f"PostgreSQL {OLDEST_SERVER // 10_000} or newer is needed; upgrade the server")


def prepare(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Give and take numbers as SQLite does, and keep statements prepared."""
    connection.prepare_threshold = 0
    connection.prepared_max = PREPARED_STATEMENTS
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_loader("numeric", _Whole)
    connection.adapters.register_loader("numeric", _WholeBinary)


@contextmanager
def errors_named() -> Iterator[None]:
    """Turn PostgreSQL's errors that are not a statement's own fault into ours.

    Raises:
        ConfigInvalid, DatabaseUnreachable, DiskLow: see each.
    """
    try:
        yield
    except errors.DiskFull as exc:
        raise DiskLow("the database's disk is full; free some space there") from exc
    except psycopg.OperationalError as exc:
        raise _named(exc) from exc
    except errors.ReadOnlySqlTransaction as exc:
        raise DatabaseUnreachable("the database takes no writes now; check which server leads") from exc


def _named(fault: psycopg.OperationalError) -> Exception:
    if isinstance(fault, _SETUP_FAULTS) or _is_setup(str(fault)):
        return ConfigInvalid(
            "PostgreSQL refuses the user, the password or the database's name; check `database.url` and "
            "`database.password_file`"
        )
    if isinstance(fault, errors.QueryCanceled | errors.LockNotAvailable):
        return DatabaseUnreachable("the database did not answer in time; check its load and its disk")
    return DatabaseUnreachable()


def _is_setup(message: str) -> bool:
    # libpq gives no SQLSTATE for what the server says while connecting.
    return (
        "authentication failed" in message
        or "no password supplied" in message
        or ("FATAL" in message and "does not exist" in message)
    )


class _Whole(NumericLoader):
    def load(self, data: Any) -> int:  # type: ignore[override]  # sums of whole numbers are whole
        return int(super().load(data))


class _WholeBinary(NumericBinaryLoader):
    def load(self, data: Any) -> int:  # type: ignore[override]  # likewise
        return int(super().load(data))
