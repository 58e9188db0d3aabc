"""The named statements: complete, used, and quick with a million rows."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ocw_sidecar
from ocw_sidecar.adapters.sqlite.connection import connect
from ocw_sidecar.adapters.sqlite.schema import bring_up_to_date
from ocw_sidecar.pipeline.sql import named_statements

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

STATEMENTS = named_statements("queue")
PACKAGE = Path(ocw_sidecar.__file__).parent

#: Statements that look at every row of an index on purpose: at a start, on an operator's word, or over a
#: handful of rows.
READS_ALL = {"open_packs", "release_leases", "spool_files", "tallies", "troubles"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """An empty database."""
    with closing(connect(tmp_path_factory.mktemp("sql") / "queue")) as connection:
        bring_up_to_date(connection)
        yield connection


def plan(database: sqlite3.Connection, statement: str) -> list[str]:
    """Return how SQLite would run a statement."""
    names = set(re.findall(r":(\w+)", statement))
    rows = database.execute(f"EXPLAIN QUERY PLAN {statement}", defaultdict(int, dict.fromkeys(names, 0)))
    return [str(row["detail"]) for row in rows]


@pytest.mark.parametrize("name", sorted(set(STATEMENTS) - READS_ALL))
def test_no_statement_reads_a_whole_table(database: sqlite3.Connection, name: str) -> None:
    """Every statement finds its rows through an index, so a million queued records slow nothing down."""
    scans = [step for step in plan(database, STATEMENTS[name].text) if step.startswith("SCAN")]
    through_partial_index = re.compile(
        r"SCAN (\w+ USING (COVERING )?INDEX \w+_(failed|sealed|waiting|open|troubled)\b|\(subquery|CONSTANT)"
    )
    assert [] == [step for step in scans if not through_partial_index.match(step)]


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_every_statement_is_used(name: str) -> None:
    """No statement outlives its last caller."""
    sources = [path.read_text() for path in PACKAGE.rglob("*.py")]
    assert any(f'"{name}"' in source for source in sources)
