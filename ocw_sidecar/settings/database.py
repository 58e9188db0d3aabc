"""Where the sidecar keeps what it must not lose."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field, PositiveFloat, SecretStr, field_validator

from caregrid.hosts import is_loopback
from ocw_sidecar.settings.part import Part

_SCHEMES: Final = frozenset({"postgresql", "postgres"})

#: What libpq calls a connection that nobody between can read.
_ENCRYPTED: Final = frozenset({"require", "verify-ca", "verify-full"})


class DatabaseSettings(Part):
    """SQLite in the home folder by default; with a URL PostgreSQL, for several processes."""

    url: SecretStr | None = (
        None  #: postgresql://USER@HOST/NAME?sslmode=verify-full; its text may hold a password
    )
    password_file: Path | None = None  #: holds the password alone; PGPASSFILE works, too
    writers: int = Field(default=1, ge=1, le=16)  #: connections that write; more where the server is far away
    readers: int = Field(default=2, ge=1, le=16)  #: connections that read
    connect_timeout_s: int = Field(default=5, ge=2, le=60)
    statement_timeout_s: PositiveFloat = 30.0
    migrate: bool = False  #: bring an older PostgreSQL schema up to date; save it with pg_dump first

    @field_validator("url")
    @classmethod
    def _require_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            _check(url.get_secret_value())
        return url


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or len(parts.path) < len("/x"):
        raise ValueError("it has the form postgresql://USER@HOST/NAME; without it SQLite is used")
    options = parse_qs(parts.query)
    hosts = [unquote(parts.hostname or ""), *options.get("host", [])]
    if not all(_is_local(host) for host in hosts) and options.get("sslmode", [""])[0] not in _ENCRYPTED:
        raise ValueError(
            "it leads beyond this machine; add ?sslmode=verify-full, so that nobody can read along"
        )


def _is_local(host: str) -> bool:
    return not host or host.startswith("/") or is_loopback(host)
