"""The named statements of every room: used, quick with a million rows, the same on both databases."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

import ocw_sidecar
from ocw_sidecar.adapters.postgres import Access, translation
from ocw_sidecar.adapters.sqlite.connection import connect
from ocw_sidecar.adapters.sqlite.schema import bring_up_to_date
from ocw_sidecar.pipeline import sql
from tests.databases import TEMPLATE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from tests.postgres_server import PostgresServer

PACKAGE = Path(ocw_sidecar.__file__).parent
SOURCES = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
FOLDER = PACKAGE / "pipeline" / "sql"

#: Every file of statements; some rooms have tables only, some files only statements.
FILES = sorted(path.stem for path in FOLDER.glob("*.sql") if not path.name.endswith(".postgres.sql"))
STATEMENTS = {
    f"{file}.{name}": statement for file in FILES for name, statement in sql.named_statements(file).items()
}

#: Statements that look at every row of an index on purpose: at a start, on an operator's word, when the wall
#: clock was set, over a handful of rows, or to count once each hundred blocks.
READS_ALL = {
    "access.drop_unmarked",
    "access.wake_marked",
    "compaction.count_objects",
    "compaction.open_compactions",
    "ledger.drop_orphans",
    "ledger.forget_grants",
    "ledger.forget_objects",
    "ledger.forget_records",
    "ledger.forget_requests",
    "notices.pull_channels",
    "notices.pull_leases",
    "notices.pull_rests",
    "notices.release_channels",
    "proofs.count_objects",
    "proofs.worst_nodes",
    "queue.open_packs",
    "queue.release_leases",
    "patients.count_registrations",
    "queue.spool_files",
    "queue.tallies",
    "queue.troubles",
    "rotation.count_channels",
    "rotation.count_compaction_records",
    "rotation.count_fingerprint_keys",
    "rotation.count_keys",
    "storage.count_removals",
    "storage.count_troubles",
    "storage.forget_troubles",
    "threats.forget_seen_blocks",
    "threats.forget_seen_signatures",
}

#: Tables that hold a handful of rows: one for each worker, process, job of the clock or issued token, or one.
SMALL = {"fingerprint_keys", "job_heights", "processes", "threats_cursor", "tokens", "workers"}

#: A partial index holds only what waits for something.
PARTIAL = "asked|failed|open|overseeing|pending|sealed|troubled|waiting"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """An empty database."""
    with closing(connect(tmp_path_factory.mktemp("sql") / "queue")) as connection:
        bring_up_to_date(connection)
        yield connection


@pytest.fixture(scope="module")
def postgres(postgres_server: PostgresServer) -> Iterator[psycopg.Connection]:
    """An empty database with the schema."""
    access = Access(postgres_server.url(TEMPLATE))
    with psycopg.connect(**access.parameters(), autocommit=True) as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection


def plan(database: sqlite3.Connection, statement: str) -> list[str]:
    """Return how SQLite would run a statement."""
    names = set(re.findall(r":(\w+)", statement))
    rows = database.execute(f"EXPLAIN QUERY PLAN {statement}", defaultdict(int, dict.fromkeys(names, 0)))
    return [str(row["detail"]) for row in rows]


@pytest.mark.parametrize("name", sorted(set(STATEMENTS) - READS_ALL))
def test_no_statement_reads_a_whole_table(database: sqlite3.Connection, name: str) -> None:
    """Every statement finds its rows through an index, so a million queued records slow nothing down."""
    text = STATEMENTS[name].text
    scans = [step for step in plan(database, text) if step.startswith("SCAN")]
    allowed = [
        rf"\w+ USING (COVERING )?INDEX \w+_({PARTIAL})\b",
        rf"({'|'.join(sorted(SMALL))})\b",
        r"\(subquery",
        "CONSTANT",
        *re.findall(r"\) AS (\w+)", text),
        # The first few rows in an index's order are found without reading the others.
        *([r"\w+ USING (COVERING )?INDEX"] if re.search(r"ORDER BY .* LIMIT", text) else []),
    ]
    bounded = re.compile(f"SCAN ({'|'.join(allowed)})")
    assert [] == [step for step in scans if not bounded.match(step)]


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_every_statement_is_used(name: str) -> None:
    """No statement outlives its last caller."""
    assert f'"{STATEMENTS[name].name}"' in SOURCES


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_postgres_runs_every_statement_as_sqlite_does(postgres: psycopg.Connection, name: str) -> None:
    """Each parses there, leaves no parameter without a type, and reads no table whole."""
    text = translation.statement(STATEMENTS[name].postgres)
    parameters = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    for number, parameter in enumerate(parameters, start=1):
        text = text.replace(f"%({parameter})s", f"${number}")
    postgres.execute(f"PREPARE checked AS {text.replace('%%', '%')}".encode())
    values = f"({', '.join(['NULL'] * len(parameters))})" if parameters else ""
    plan = [line for (line,) in postgres.execute(f"EXPLAIN EXECUTE checked{values}".encode()).fetchall()]
    postgres.execute("DEALLOCATE checked")
    empties = re.fullmatch(r"DELETE FROM \w+", text)
    if name not in READS_ALL and not empties:
        scan = re.compile(rf"Seq Scan on (?!{'|'.join(sorted(SMALL))})")
        assert [] == [line for line in plan if scan.search(line)]


@pytest.mark.parametrize("file", FILES)
def test_own_words_stand_in_for_something(file: str) -> None:
    """PostgreSQL's files replace statements that exist, and take the same parameters."""
    own = FOLDER / f"{file}.postgres.sql"
    names = set(re.findall(r"^-- (\w+) --$", own.read_text(), re.MULTILINE)) if own.exists() else set()
    assert names <= set(sql.named_statements(file))
    for name in names:
        statement = sql.named_statements(file)[name]
        assert set(re.findall(r"(?<!:):(\w+)", statement.postgres)) == set(
            re.findall(r"(?<!:):(\w+)", statement.text)
        )


def test_both_databases_have_the_same_tables_columns_and_indexes(
    database: sqlite3.Connection, postgres: psycopg.Connection
) -> None:
    """Nothing is there that only one kind has, but for what each writes down for itself."""
    ours = {
        (row["name"], column["name"])
        for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for column in database.execute(f"PRAGMA table_info({row['name']})").fetchall()
        if not row["name"].startswith("sqlite_")
    }
    theirs = set(
        postgres.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
    )
    assert {("tallies", "shard"), ("caregrid_schema", "only_row"), ("caregrid_schema", "version")} == (
        theirs - ours
    )
    assert set() == ours - theirs
    created = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    indexes = {row["name"] for row in database.execute(created).fetchall()}
    found = postgres.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'").fetchall()
    assert set() == indexes - {name for (name,) in found}


def test_every_trigger_has_its_twin(database: sqlite3.Connection, postgres: psycopg.Connection) -> None:
    """What SQLite enforces by a trigger, PostgreSQL does, too; there counts are added up at the commit."""
    ours = {row["name"] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    theirs = postgres.execute(
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND NOT tgdeferrable"
    ).fetchall()
    assert ours == {name for (name,) in theirs}


@pytest.mark.parametrize(
    ("sqlite", "postgres_words"),
    [
        ("CREATE TABLE x (id INTEGER PRIMARY KEY, n INTEGER) STRICT;",
         "CREATE TABLE x (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, n BIGINT)"),
        ("CREATE TABLE x (b BLOB UNIQUE) STRICT, WITHOUT ROWID;", "CREATE TABLE x (b BYTEA UNIQUE)"),
        ("SELECT a FROM t WHERE b = :b AND c < :c -- why\n", "SELECT a FROM t WHERE b = %(b)s AND c < %(c)s"),
        ("SELECT a % 2, b::text, CAST(:n AS INTEGER)", "SELECT a %% 2, b::text, CAST(%(n)s AS BIGINT)"),
    ],
)  # fmt: skip
def test_words_are_replaced_plainly(sqlite: str, postgres_words: str) -> None:
    """Types, table options and parameters are what differs; all else stays as it is written."""
    assert postgres_words == translation.statement(sqlite)
