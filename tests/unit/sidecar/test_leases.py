"""The heartbeat keeps what is being worked on, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from caregrid.records import RecordFormat
from caregrid.sealed import new_record_id
from ocw_sidecar.adapters.sql import SqlQueue
from ocw_sidecar.adapters.sqlite import SqliteDatabase
from ocw_sidecar.pipeline.items import InRow, NewSubmission
from ocw_sidecar.pipeline.leases import Leases
from ocw_sidecar.pipeline.states import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

T0 = datetime(2030, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that tests set."""

    now = T0

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[SqlQueue]:
    """A queue with two submissions."""
    database = SqliteDatabase.open(tmp_path / "queue.sqlite3")
    opened = SqlQueue(database)
    for _ in range(2):
        await opened.add(
            NewSubmission(
                submission_id=new_record_id(),
                patient_id=bytes(32),
                format=RecordFormat.BINARY,
                length=1,
                digest=bytes(32),
                payload=InRow(b"x"),
                wrapped_key=b"w",
                idempotency=None,
                received_at=T0,
            )
        )
    yield opened
    await database.close()


async def test_held_jobs_outlast_their_lease_and_dropped_ones_do_not(queue: SqlQueue) -> None:
    """A job inside `holding` stays with its worker as long as it takes; outside it passes on."""
    clock = Clock()
    leases = Leases(queue, 60.0, clock)
    held, dropped = await leases.claim(Stage.VALIDATE, 2)
    with leases.holding([held]):
        for _ in range(5):
            clock.now += timedelta(seconds=40)
            await leases.beat()
        assert [dropped.item] == [job.item for job in await leases.claim(Stage.VALIDATE, 2)]
    clock.now += timedelta(seconds=60)
    assert {held.item, dropped.item} == {job.item for job in await leases.claim(Stage.VALIDATE, 2)}


async def test_heart_beats_by_itself(queue: SqlQueue) -> None:
    """Running, it extends in real time several times a lease."""
    clock = Clock()
    leases = Leases(queue, 0.06, clock)
    (job, _) = await leases.claim(Stage.VALIDATE, 2)
    clock.now += timedelta(seconds=10)
    with leases.holding([job]), contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await leases.run()
    assert job.item not in {each.item for each in await leases.claim(Stage.VALIDATE, 2)}
