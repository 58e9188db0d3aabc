"""Two sidecars on one PostgreSQL: each record goes through once, whoever does which step of it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from caregrid.records import RecordFormat
from ocw_sidecar.pipeline.intake import Offer
from ocw_sidecar.pipeline.spool import INLINE_LIMIT
from ocw_sidecar.pipeline.states import RecordState, Stage
from ocw_sidecar.pipeline.steps import AssembleStep
from ocw_sidecar.ports import utc_now
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, PATIENT, Rig, World, memory_world, rig
from tests.databases import TEMPLATE
from tests.stored import stored_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from datetime import datetime
    from pathlib import Path

    from tests.postgres_server import PostgresServer


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database that the sidecars share."""
    name = postgres_server.create_database(template=TEMPLATE)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
async def world() -> World:
    """The chain and the storage that they share."""
    return await memory_world()


@pytest.fixture
async def sidecars(url: str, world: World, tmp_path: Path) -> AsyncIterator[list[Rig]]:
    """Two, each with a home folder of its own, as on two machines."""
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(rig(settings(tmp_path / name, url), world))
            for name in ("a", "b")
        ]


def settings(home: Path, url: str) -> Settings:
    """Settings under which nothing waits."""
    return Settings.load(
        home=home,
        organisation=ORGANISATION,
        pack_age_limit_s=0.0,
        min_free_disk=0,
        pack_record_limit=7,
        database={"url": url},
    )


async def submit(sidecar: Rig, size: int, key: bytes | None = None) -> bytes:
    """Submit opaque content and return its id."""

    async def content() -> AsyncIterator[bytes]:
        yield os.urandom(size)

    offer = Offer(patient_id=PATIENT, format=RecordFormat.BINARY, announced=None, idempotency=key)
    return (await sidecar.intake.take(offer, content())).submission_id


async def work_together(sidecars: list[Rig]) -> None:
    """Run all steps of all sidecars at once until none finds work."""
    steps = [step for sidecar in sidecars for _, step in sidecar.steps()]
    idle = 0
    while idle < 3:
        found = sum(await asyncio.gather(*(step.run_once() for step in steps)))
        idle = 0 if found else idle + 1


async def test_each_record_goes_through_once(sidecars: list[Rig], world: World) -> None:
    """What either one took in is confirmed, and stands on chain exactly once."""
    sizes = [1000] * 20 + [2 * INLINE_LIMIT]
    ids = [
        *await asyncio.gather(*(submit(sidecar, size) for sidecar in sidecars for size in sizes)),
    ]
    await work_together(sidecars)
    for number, submission in enumerate(ids):
        (record,) = await sidecars[number % 2].bench.queue.records_of(submission)
        assert RecordState.CONFIRMED is record.state
    assert dict.fromkeys(ids, 1) == Counter(await stored_records(world.chain, 0))


async def test_one_idempotency_key_at_two_doors_is_one_submission(sidecars: list[Rig]) -> None:
    """A request that is sent to both at once is taken in once."""
    for number in range(10):
        key = number.to_bytes(32)
        first, second = await asyncio.gather(*(submit(sidecar, 1000, key) for sidecar in sidecars))
        assert first == second


async def test_one_sidecar_finishes_what_the_other_began(sidecars: list[Rig], world: World) -> None:
    """Bytes that one took in and packed, the other one stores from its own disk; the first one tidies up."""
    first, second = sidecars
    ids = [await submit(first, size) for size in (1000, 2 * INLINE_LIMIT)]
    steps = dict(first.steps())
    for name in ("validation", "packing", "assembly"):
        while await steps[name].run_once():
            pass
    await second.drain()
    for submission in ids:
        assert [RecordState.CONFIRMED] == [
            record.state for record in await second.bench.queue.records_of(submission)
        ]
    assert dict.fromkeys(ids, 1) == Counter(await stored_records(world.chain, 0))
    packs = first.bench.settings.home / "packs"
    for path in packs.iterdir():
        os.utime(path, (0, 0))
    assert [] != list(packs.iterdir())
    step = steps["assembly"]
    assert isinstance(step, AssembleStep)
    step._tidy_at = 0.0
    await step.run_once()
    assert [] == list(packs.iterdir())


async def test_lease_of_a_dead_sidecar_runs_out(url: str, world: World, tmp_path: Path) -> None:
    """A start of one sidecar leaves the other one's leases alone; they pass on when they have run out."""
    ahead = timedelta(0)

    def now() -> datetime:
        return utc_now() + ahead

    world = replace(world, ports=replace(world.ports, now=now))
    async with rig(settings(tmp_path / "a", url), world) as first:
        await submit(first, 1000)
        assert 1 == len(await first.bench.leases.claim(Stage.VALIDATE, 1))
        async with rig(settings(tmp_path / "b", url), world) as second:
            assert [] == await second.bench.leases.claim(Stage.VALIDATE, 1)
            ahead = timedelta(seconds=second.bench.settings.lease_s)
            assert 1 == len(await second.bench.leases.claim(Stage.VALIDATE, 1))
