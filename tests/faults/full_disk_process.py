"""One job on a disk that is full from its Nth write on, for all N: `python -m` this module with a folder.

Runs with the library of full_disk.c loaded before all others, and prints how many N there were. Chain and
storage are twins in memory; the queue, the spool and all steps are what runs in production.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from caregrid.errors import DiskLow, Recoverable
from caregrid.records import RecordFormat
from ocw_sidecar.pipeline.intake import Offer
from ocw_sidecar.pipeline.spool import INLINE_LIMIT
from ocw_sidecar.pipeline.states import RecordState
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, PATIENT, Rig, World, memory_world, rig
from tests.stored import stored_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: The job: a row, a file of the spool, and a Bundle that is split.
SMALL = b'{"resourceType": "Basic", "code": {"text": "small"}}'
LARGE = os.urandom(2 * INLINE_LIMIT)
ENTRY = b'{"fullUrl": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "resource": %s}' % SMALL
BUNDLE = b'{"resourceType": "Bundle", "type": "collection", "entry": [%s]}' % ENTRY
#: Rounds of all steps; a full disk ends none, and each leaves what failed for later.
ROUNDS = 12

library = ctypes.CDLL(None)
library.full_disk_arm.argtypes = [ctypes.c_long]
library.full_disk_counted.restype = ctypes.c_long


class Clock:
    """A time that the test moves."""

    now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


async def main(folder: Path) -> None:
    """Count the job's writes, then run it with the disk full from each of them on."""
    total = await run(folder / "none", 1_000_000)
    assert total > 50, "the library was not loaded"
    for limit in range(1, total + 1):
        await run(folder / str(limit), limit)
    print(total)  # noqa: T201 - a program


async def run(home: Path, limit: int) -> int:
    """Do the job with the disk full from a write on, then with room again; return the number of writes."""
    clock, world = Clock(), await memory_world()
    world = replace(world, ports=replace(world.ports, now=clock))
    settings = Settings.load(home=home, organisation=ORGANISATION, pack_age_limit_s=0.0, min_free_disk=0)
    home.mkdir()
    async with rig(settings, world) as sidecar:
        library.full_disk_arm(limit)
        acknowledged = [one for one in [await submit(sidecar, content) for content in JOB] if one]
        await work(sidecar)
        writes = int(library.full_disk_counted())
        library.full_disk_arm(0)
    clock.now += timedelta(hours=1)
    async with rig(settings, world) as sidecar:
        await sidecar.drain()
        await check(sidecar, acknowledged)
    await check_chain(world, acknowledged)
    return writes


async def submit(sidecar: Rig, content: bytes) -> bytes | None:
    """Return the submission's id, or None when it was refused for want of room."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    record_format = RecordFormat.BINARY if content is LARGE else RecordFormat.FHIR_R4_JSON
    offer = Offer(patient_id=PATIENT, format=record_format, announced=None, idempotency=None)
    try:
        return (await sidecar.intake.take(offer, chunks())).submission_id
    except DiskLow:
        return None


async def work(sidecar: Rig) -> None:
    """Have every step run, whatever the disk says."""
    steps = sidecar.steps()
    for _ in range(ROUNDS):
        for _, step in steps:
            try:
                await step.run_once()
            except Recoverable:
                continue


async def check(sidecar: Rig, acknowledged: list[bytes]) -> None:
    """Everything acknowledged is final, and no file is left."""
    for submission in acknowledged:
        records = await sidecar.bench.queue.records_of(submission)
        assert [RecordState.CONFIRMED] == [record.state for record in records], records
    left = [path for name in ("spool", "packs") for path in (sidecar.bench.settings.home / name).iterdir()]
    assert not left, left


async def check_chain(world: World, acknowledged: list[bytes]) -> None:
    """Each acknowledged record was anchored once, and nothing else."""
    stored = Counter(await stored_records(world.chain, 0))
    assert all(times == 1 for times in stored.values()), stored
    assert len(acknowledged) == len(stored)


JOB = (SMALL, LARGE, BUNDLE)

if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
