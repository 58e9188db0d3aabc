"""`kill -9` of a sidecar that moves records out of an object, or seals one anew."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.adapters.sql.controls import SqlControls
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint
from ocw_sidecar.ports import Ports, utc_now
from ocw_sidecar.testing import OPERATOR, World
from tests.unit.sidecar.compaction_world import compacting, content, erase, objects
from tests.unit.sidecar.worker_world import RealTime

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).with_name("sidecar_process.py")
TIMEOUT_S = 60.0
POINTS = [each.value for each in WorkerCrashPoint if each.name.startswith("COMPACTION_")]
#: Of which the first is erased and the last is sealed anew.
CONTENTS = [bytes([number]) * 300_000 for number in range(5)]
ENVIRONMENT = {
    "CAREGRID_WORKERS__COMPACTION__MIN_ERASED_SHARE": "0",
    "CAREGRID_WORKERS__COMPACTION__MIN_ERASED_BYTES": "0",
}
#: Everything that has to be gone before all is settled; a removal comes with the block that it is due to.
OPEN = (
    "SELECT (SELECT count(*) FROM compactions) + (SELECT count(*) FROM compaction_objects)"
    " + (SELECT count(*) FROM storage_removals) + (SELECT count(*) FROM reseals WHERE done_at IS NULL)"
)


def script() -> ModuleType:
    """Return the process's own module, whose twins read what the killed process left."""
    spec = importlib.util.spec_from_file_location("sidecar_process", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def world(outside: Path) -> World:
    """Open what lies outside of the process."""
    outside.mkdir(exist_ok=True)
    made = script()
    made.drop_torn_block(outside / "chain.jsonl")
    chain = await made.open_chain(outside)
    submitter, store = chain.submitter(OPERATOR), made.FileStore(outside / "objects")
    ports = Ports(
        chain=chain,
        submitter=submitter,
        store=store,
        key_store=made.open_keys(outside),
        validator=made.FhirValidator(),
    )
    return World(chain=chain, submitter=submitter, store=store, ports=ports)


async def prepare(folder: Path) -> list[bytes]:
    """Store records, erase one, and ask for another to be sealed anew and for a run; return their ids."""
    async with compacting(folder, await world(folder / "outside"), RealTime()) as sidecar:
        ids = await sidecar.store(*CONTENTS)
        await erase(sidecar, ids[0])
        await sidecar.parts.desk.compaction.ask_reseal(ids[-1], utc_now())
        await SqlControls(sidecar.rig.database).ask("compaction")
    return ids


def start(folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a sidecar."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, SCRIPT, folder / "home", folder / "outside"],
            stdout=log,
            stderr=log,
            env={**os.environ, **ENVIRONMENT, **environment},
        )


def row(folder: Path, statement: str) -> tuple[Any, ...]:
    """Read a sidecar's database from outside."""
    path = folder / "home" / QUEUE_FILE
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=TIMEOUT_S)) as connection:
        return tuple(connection.execute(statement).fetchone())


def wait_settled(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until nothing is under way; ask for more runs where one leaves something for the next."""
    deadline = time.monotonic() + TIMEOUT_S
    while row(folder, OPEN) != (0,):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        asked, answered = row(folder, "SELECT asked, answered FROM workers WHERE name = 'compaction'")
        if answered >= asked:
            ask(folder)
        time.sleep(0.05)


def ask(folder: Path) -> None:
    """Ask for another run."""
    with closing(sqlite3.connect(folder / "home" / QUEUE_FILE, timeout=TIMEOUT_S)) as connection:
        connection.execute("UPDATE workers SET asked = asked + 1 WHERE name = 'compaction'")
        connection.commit()


@pytest.mark.parametrize("point", POINTS)
async def test_records_move_once_over_a_kill(tmp_path: Path, point: str) -> None:
    """Killed at any step, the next process ends with every record in one place and nothing left over."""
    ids = await prepare(tmp_path)
    crashed = start(tmp_path, CAREGRID_CRASH_AT=point)
    assert -signal.SIGKILL == await asyncio.to_thread(crashed.wait, TIMEOUT_S)
    process = start(tmp_path)
    try:
        await asyncio.to_thread(wait_settled, tmp_path, process)
    finally:
        process.kill()
        process.wait(TIMEOUT_S)
    async with compacting(tmp_path, await world(tmp_path / "outside"), RealTime()) as sidecar:
        assert CONTENTS[1:] == [await content(sidecar, each) for each in ids[1:]]
        places = {found.object_id for found in (await sidecar.world.chain.records(ids)).values()}
        assert places == set(await objects(sidecar))
        assert [1, 1, 1, 1] == [await moves(sidecar.world, each) for each in ids[1:]]


async def moves(there: World, record_id: bytes) -> int:
    """Return how often the chain has moved a record."""
    head, count = await there.chain.finalized_head(), 0
    async for block in there.chain.finalized_blocks(0):
        count += sum(
            event.name == "RecordMoved" and event.fields["record"] == record_id for event in block.events
        )
        if block.ref == head:
            break
    return count
