"""Steps from older schemas to the present one: `0002_what_changed.sql` leads from version 1 to version 2.

The schema itself stands in `../sql/schema/`; version 1 is the first released one, so no step leads to it.
PostgreSQL has steps of its own, `0003_what_changed.postgres.sql`; there version 2 is the first.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["SCHEMA_VERSION", "migrations", "postgres_migrations"]

#: The version of the schema.
SCHEMA_VERSION: Final = 6


def migrations() -> Mapping[int, str]:
    """Return SQLite's scripts by the version they lead to."""
    return {version: text for version, postgres, text in _scripts() if not postgres}


def postgres_migrations() -> Mapping[int, str]:
    """Return PostgreSQL's scripts by the version they lead to."""
    return {version: text for version, postgres, text in _scripts() if postgres}


def _scripts() -> Iterator[tuple[int, bool, str]]:
    for entry in resources.files(__name__).iterdir():
        if entry.name.endswith(".sql"):
            version = int(entry.name.partition("_")[0])
            yield version, entry.name.endswith(".postgres.sql"), entry.read_text(encoding="utf-8")
