"""The database as it is written: `schema/ROOM.sql` has a room's tables, `ROOM.sql` its statements by name.

A statement begins after `-- name --` on a line of its own, with a comment where it helps. Parameters are
`:named`. Both are SQLite's SQL in the part that PostgreSQL understands after the plain replacements of
`ocw_sidecar/adapters/postgres`; where it does not, `ROOM.postgres.sql` has statements, and
`schema/ROOM.postgres.sql` tables, indexes and triggers, of the same names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

__all__ = ["ROOMS", "Statement", "named_statements", "postgres_schema", "schema"]

#: The rooms in the order in which their tables are created.
ROOMS: Final = (
    "queue",
    "pieces",
    "search",
    "callers",
    "patients",
    "notices",
    "clock",
    "ledger",
    "access",
    "controls",
    "storage",
    "compaction",
    "threats",
    "proofs",
    "erasure",
)

_HEADING: Final = re.compile(r"^-- (\w+) --$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, as each kind of database takes it."""

    name: str
    text: str
    postgres: str  #: before its parameters are respelled


def schema(room: str) -> str:
    """Return what creates a room's tables, in SQLite's words."""
    return _folder().joinpath("schema", f"{room}.sql").read_text(encoding="utf-8")


def postgres_schema(room: str) -> str:
    """Return what PostgreSQL needs of a room in its own words; empty for most."""
    file = _folder().joinpath("schema", f"{room}.postgres.sql")
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def named_statements(room: str) -> Mapping[str, Statement]:
    """Return a room's statements by name."""
    common, own = _pieces(f"{room}.sql"), _pieces(f"{room}.postgres.sql")
    return {name: Statement(name, text, own.get(name, text)) for name, text in common.items()}


def _pieces(name: str) -> Mapping[str, str]:
    file = _folder().joinpath(name)
    if not file.is_file():
        return {}
    _preamble, *pieces = _HEADING.split(file.read_text(encoding="utf-8"))
    return dict(zip(pieces[::2], (text.strip() for text in pieces[1::2]), strict=True))


def _folder() -> Traversable:
    return resources.files(__name__)
