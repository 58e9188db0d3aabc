"""The state machine as written in Python and as the database enforces it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from ocw_sidecar.adapters.sqlite.connection import connect
from ocw_sidecar.adapters.sqlite.schema import bring_up_to_date
from ocw_sidecar.pipeline import states

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from enum import StrEnum
    from pathlib import Path

INITIAL = {
    "submission": states.INITIAL_SUBMISSION_STATES,
    "record": states.INITIAL_RECORD_STATES,
    "pack": states.INITIAL_PACK_STATES,
}
MOVES: dict[str, Iterable[tuple[StrEnum, StrEnum]]] = {
    "submission": states.SUBMISSION_TRANSITIONS,
    "record": states.RECORD_TRANSITIONS,
    "pack": states.PACK_TRANSITIONS,
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A fresh database."""
    connection = connect(tmp_path / "queue.sqlite3")
    bring_up_to_date(connection)
    yield connection
    connection.close()


def test_database_holds_the_same_table(database: sqlite3.Connection) -> None:
    """The transitions that the database allows are exactly those written down in Python."""
    begins = {(kind, "", str(state)) for kind, initial in INITIAL.items() for state in initial}
    moves = {(kind, str(old), str(new)) for kind, pairs in MOVES.items() for old, new in pairs}
    rows = database.execute("SELECT kind, old, new FROM transitions").fetchall()
    assert begins | moves == {tuple(row) for row in rows}


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("submission", states.SubmissionState),
        ("record", states.RecordState),
        ("pack", states.PackState),
    ],
)
def test_every_state_is_reached_and_left_or_final(kind: str, members: type[StrEnum]) -> None:
    """No state is out of reach, and only states that are meant to be final lead nowhere."""
    reached = {str(state) for state in INITIAL[kind]} | {str(new) for _, new in MOVES[kind]}
    left = {str(old) for old, _ in MOVES[kind]}
    assert {str(state) for state in members} == reached
    assert {"submission": {"validated"}, "record": {"confirmed", "rejected", "duplicate"}, "pack": set()}[
        kind
    ] == reached - left


def test_a_move_outside_the_table_is_refused(database: sqlite3.Connection) -> None:
    """A statement that skips a state changes nothing, whoever wrote it."""
    database.execute(
        "INSERT INTO packs (id, size, record_count, state, oldest_at) VALUES (?, 1, 1, 'planned', 0)",
        (bytes(16),),
    )
    with pytest.raises(sqlite3.IntegrityError, match="no pack moves so"):
        database.execute("UPDATE packs SET state = 'anchored', object = zeroblob(32)")
    assert [("planned",)] == [tuple(row) for row in database.execute("SELECT state FROM packs")]


def test_an_item_cannot_begin_halfway(database: sqlite3.Connection) -> None:
    """An item is born in an initial state only."""
    with pytest.raises(sqlite3.IntegrityError, match="no pack begins so"):
        database.execute(
            "INSERT INTO packs (id, size, record_count, object, state, oldest_at)"
            " VALUES (zeroblob(16), 1, 1, zeroblob(32), 'stored', 0)"
        )


def test_every_live_pack_state_has_its_stage() -> None:
    """Work exists for exactly those pack states that are neither closed nor failed."""
    live = set(states.PackState) - {states.PackState.CLOSED, states.PackState.FAILED}
    assert live == set(states.STAGE_OF_PACK)
