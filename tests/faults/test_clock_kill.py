"""`kill -9` of a sidecar that catches up, and of one that delivers a key."""

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

from caregrid.chain import Escrowed, PatientScope, Pending, calls
from caregrid.keys import EncryptionKeyPair
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.ledger.escrow import escrow_digest
from ocw_sidecar.ledger.items import EscrowedKey
from ocw_sidecar.testing import ORGANISATION, PATIENT

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).with_name("sidecar_process.py")
TIMEOUT_S = 60.0
BLOCKS, GRANTEES = 360, 40
SCOPE = PatientScope(patient_id=PATIENT)


def script() -> ModuleType:
    """Return the process's own module, whose twins read what the killed process left."""
    spec = importlib.util.spec_from_file_location("sidecar_process", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a sidecar."""
    (folder / "outside").mkdir(exist_ok=True)
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, SCRIPT, folder / "home", folder / "outside"],
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it without warning."""
    process.send_signal(signal.SIGKILL)
    process.wait(TIMEOUT_S)


def rows(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Read a sidecar's database from outside; nothing while it is not there."""
    path = folder / "home" / QUEUE_FILE
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute(statement).fetchall()
        except sqlite3.OperationalError:
            return []


def cursor(folder: Path) -> int:
    """Return how far a sidecar has followed the chain."""
    found = rows(folder, "SELECT height FROM cursors")
    return int(found[0][0]) if found else 0


def wait_for(folder: Path, height: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a sidecar has taken a block in."""
    deadline = time.monotonic() + TIMEOUT_S
    while cursor(folder) < height:
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.01)


def grantee(number: int) -> bytes:
    """Return somebody's account."""
    return bytes([100 + number]) * 32


async def make_past(folder: Path) -> int:
    """Write a chain on which grants are given in many blocks; return its head."""
    (folder / "outside").mkdir()
    chain = await script().open_chain(folder / "outside")
    for number in range(BLOCKS):
        if number % (BLOCKS // GRANTEES) == 0:
            who = grantee(number // (BLOCKS // GRANTEES))
            call = calls.grant_access(SCOPE, who, expires_at=100_000, purpose="Treatment", key=Pending())
            await chain.submitter(ORGANISATION).submit(call)
        else:
            chain.finalize_block()
    return int((await chain.finalized_head()).number)


def test_catching_up_survives_kills(tmp_path: Path) -> None:
    """Killed twice in the middle, it takes each block in once: no grant is missing, no notice is double."""
    head = asyncio.run(make_past(tmp_path))
    environment = {"CAREGRID_CLOCK__START_BLOCK": "1", "CAREGRID_CLOCK__CATCH_UP_RATE": "150"}
    heights = []
    for height in (head // 4, head // 2):
        process = start(tmp_path, **environment)
        wait_for(tmp_path, height, process)
        kill(process)
        heights.append(cursor(tmp_path))
        assert heights[-1] < head, "it was to be killed before the end"
    process = start(tmp_path, **environment)
    wait_for(tmp_path, head, process)
    kill(process)
    granted = rows(tmp_path, "SELECT grantee FROM ledger_grants ORDER BY grantee")
    assert [grantee(number) for number in range(GRANTEES)] == [bytes(row[0]) for row in granted]
    told = "SELECT recipient, count(*) FROM notices WHERE kind = 'access_granted' GROUP BY recipient"
    counts = {bytes(who): count for who, count in rows(tmp_path, told)}
    assert {1} == {counts[grantee(number)] for number in range(GRANTEES)}


@pytest.mark.parametrize("point", ["ESCROWED", "DELIVERED"])
async def test_a_key_is_delivered_once_over_a_kill(tmp_path: Path, point: str) -> None:
    """Killed after the key lay in escrow, or after the chain was told: in the end there is one delivery."""
    (tmp_path / "outside").mkdir()
    chain = await script().open_chain(tmp_path / "outside")
    await chain.submitter(grantee(1)).submit(
        calls.set_encryption_key(EncryptionKeyPair.generate().public_key)
    )
    call = calls.grant_access(SCOPE, grantee(1), expires_at=9_000, purpose="Treatment", key=Pending())
    await chain.submitter(ORGANISATION).submit(call)
    environment = {"CAREGRID_CLOCK__START_BLOCK": "1"}
    crashed = start(tmp_path, CAREGRID_CRASH_AT=point, **environment)
    assert -signal.SIGKILL == await asyncio.to_thread(crashed.wait, TIMEOUT_S)
    process = start(tmp_path, **environment)
    try:
        await asyncio.to_thread(wait_settled, tmp_path, process)
    finally:
        kill(process)
    chain = await script().open_chain(tmp_path / "outside")
    grant = await chain.grant(SCOPE, grantee(1))
    assert isinstance(grant.key, Escrowed)
    assert 1 == await deliveries(chain)


@pytest.mark.parametrize("point", ["ESCROWED", "DELIVERED"])
async def test_a_new_encryption_key_is_served_once_over_a_kill(tmp_path: Path, point: str) -> None:
    """Killed with it kept or delivered: one delivery for each of his keys, of what is in escrow."""
    (tmp_path / "outside").mkdir()
    chain = await script().open_chain(tmp_path / "outside")
    who, environment = chain.submitter(grantee(1)), {"CAREGRID_CLOCK__START_BLOCK": "1"}
    await who.submit(calls.set_encryption_key(EncryptionKeyPair.generate().public_key))
    call = calls.grant_access(SCOPE, grantee(1), expires_at=9_000, purpose="Treatment", key=Pending())
    await chain.submitter(ORGANISATION).submit(call)
    process = start(tmp_path, **environment)
    try:
        await asyncio.to_thread(wait_settled, tmp_path, process)
    finally:
        kill(process)
    chain = await script().open_chain(tmp_path / "outside")
    await chain.submitter(grantee(1)).submit(
        calls.set_encryption_key(EncryptionKeyPair.generate().public_key)
    )
    crashed = start(tmp_path, CAREGRID_CRASH_AT=point, **environment)
    assert -signal.SIGKILL == await asyncio.to_thread(crashed.wait, TIMEOUT_S)
    process = start(tmp_path, **environment)
    try:
        await asyncio.to_thread(wait_settled, tmp_path, process, version=2)
    finally:
        kill(process)
    chain = await script().open_chain(tmp_path / "outside")
    grant = await chain.grant(SCOPE, grantee(1))
    kept = [
        EscrowedKey(record_id=bytes(record), wrapped=bytes(wrapped), key_version=version)
        for record, wrapped, version in rows(tmp_path, "SELECT record, wrapped, key_version FROM escrow_keys")
    ]
    assert Escrowed(digest=escrow_digest(SCOPE, kept), key_version=2) == grant.key
    assert 2 == await deliveries(chain)


async def deliveries(chain: Any) -> int:
    """Return how many keys were delivered on a chain."""
    head, count = await chain.finalized_head(), 0
    async for block in chain.finalized_blocks(0):
        count += sum(event.name == "KeyDelivered" for event in block.events)
        if block.ref == head:
            break
    return count


def wait_settled(folder: Path, process: subprocess.Popen[bytes], version: int = 1) -> None:
    """Wait until no grant is pending any more."""
    deadline = time.monotonic() + TIMEOUT_S
    while [("escrowed", version)] != rows(folder, "SELECT key_state, key_version FROM ledger_grants"):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.02)
