"""Large payloads in pieces, on either kind of database."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import ProtocolViolation
from ocw_sidecar.adapters.sql import SqlQueue
from ocw_sidecar.adapters.sql.pieces import STRAY_AFTER, SqlPieces
from ocw_sidecar.pipeline.items import InRow, InSpool
from ocw_sidecar.pipeline.shared_spool import PIECE_SIZE, TIDY_AGE_S, SharedSpool
from tests.contract.test_queue import submission

if TYPE_CHECKING:
    from pathlib import Path

    from ocw_sidecar.adapters.sql import Database

T0 = datetime(2030, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that tests set."""

    now = T0

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The pieces' clock."""
    return Clock()


@pytest.fixture
def spool(database: Database, clock: Clock, tmp_path: Path) -> SharedSpool:
    """A spool whose payloads lie in the database; its methods block, so tests run them in threads."""
    made = SharedSpool(tmp_path / "home", SqlPieces(database, now=clock))
    made.prepare()
    return made


def write(spool: SharedSpool, *parts: bytes) -> InSpool:
    """Write a payload to its end."""
    file = spool.create()
    for part in parts:
        file.write(part)
    file.finish()
    return InSpool(file.name)


@pytest.mark.parametrize(
    "length", [1, PIECE_SIZE - 1, PIECE_SIZE, PIECE_SIZE + 1, 3 * PIECE_SIZE, 3 * PIECE_SIZE + 7]
)
async def test_payload_reads_back_however_it_was_written(spool: SharedSpool, length: int) -> None:
    """Whole, from its head or piece by piece, what was written in any parts comes back."""
    content = bytes(number % 251 for number in range(length))
    cut = length // 3
    payload = await asyncio.to_thread(write, spool, content[:cut], content[cut:])
    assert content == await asyncio.to_thread(spool.read, payload)
    assert content[:5000] == await asyncio.to_thread(spool.head, payload, 5000)
    pieces = await asyncio.to_thread(lambda: list(spool.pieces(payload)))
    assert content == b"".join(pieces)
    assert max(map(len, pieces)) <= PIECE_SIZE


async def test_small_payload_needs_no_pieces(spool: SharedSpool) -> None:
    """What lies in a row is read from there."""
    assert b"abc" == await asyncio.to_thread(spool.read, InRow(b"abc"))
    assert b"ab" == await asyncio.to_thread(spool.head, InRow(b"abc"), 2)


async def test_removed_and_discarded_payloads_are_gone(spool: SharedSpool) -> None:
    """Nothing is left of a payload, whether it was finished or not; a lost one is told, not read as empty."""
    gone = await asyncio.to_thread(write, spool, b"gone")
    kept = await asyncio.to_thread(write, spool, b"kept")
    await asyncio.to_thread(spool.remove, [gone.name])
    begun = spool.create()
    await asyncio.to_thread(begun.write, bytes(PIECE_SIZE))
    await asyncio.to_thread(begun.discard)
    for name in (gone.name, begun.name):
        with pytest.raises(ProtocolViolation, match="lost a payload"):
            await asyncio.to_thread(spool.read, InSpool(name))
    assert b"kept" == await asyncio.to_thread(spool.read, kept)


async def test_sweep_takes_what_nobody_names_after_a_day(
    spool: SharedSpool, database: Database, clock: Clock
) -> None:
    """What a process began and never finished goes, but not while it may still come, nor what a row names."""
    named = await asyncio.to_thread(write, spool, b"named")
    await SqlQueue(database).add(submission(payload=named))
    stray = await asyncio.to_thread(write, spool, b"stray")
    clock.now = T0 + STRAY_AFTER - timedelta(seconds=1)
    young = await asyncio.to_thread(write, spool, b"young")
    assert 0 == await asyncio.to_thread(spool.tidy, set())
    clock.now = T0 + STRAY_AFTER
    assert 1 == await asyncio.to_thread(spool.tidy, set())
    assert 0 == await asyncio.to_thread(spool.sweep, set(), set())
    assert b"named" == await asyncio.to_thread(spool.read, named)
    assert b"young" == await asyncio.to_thread(spool.read, young)
    with pytest.raises(ProtocolViolation):
        await asyncio.to_thread(spool.read, stray)


async def test_payload_that_took_long_counts_from_its_end(spool: SharedSpool, clock: Clock) -> None:
    """An upload of more than a day is not swept between its last piece and its row."""
    file = spool.create()
    await asyncio.to_thread(file.write, bytes(PIECE_SIZE))
    clock.now = T0 + 2 * STRAY_AFTER
    await asyncio.to_thread(file.finish)
    assert 0 == await asyncio.to_thread(spool.tidy, set())


async def test_tidying_leaves_pack_files_that_may_be_needed(spool: SharedSpool) -> None:
    """Pack files that another machine's work made useless go; open packs' and fresh ones stay."""
    old, open_, fresh = (spool.pack_path(bytes([number]) * 16) for number in range(3))
    for path in (old, open_, fresh):
        path.write_bytes(b"pack")
    for path in (old, open_):
        before = path.stat().st_mtime - TIDY_AGE_S - 1
        os.utime(path, (before, before))
    assert 1 == await asyncio.to_thread(spool.tidy, {bytes([1]) * 16})
    assert [False, True, True] == [path.exists() for path in (old, open_, fresh)]
