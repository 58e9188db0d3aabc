"""`kill -9` of a sidecar that gives storage nodes their tags."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from caregrid import auditing
from caregrid.chain import calls
from caregrid.proofs.proving_store import FragmentPlace
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat
from ocw_sidecar.testing import OPERATOR, ORGANISATION, PATIENT
from ocw_sidecar.workers.tagging import FOLDER
from tests.faults.test_clock_kill import TIMEOUT_S, kill, rows, script, start

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

CONTENT = b"sealed bytes" * 1_000
ENVIRONMENT = {"CAREGRID_CLOCK__START_BLOCK": "1", "TEST_PROVING": "1"}


@pytest.mark.parametrize("point", ["TAGGED", "COMMITTED"])
async def test_an_object_is_committed_to_once_over_a_kill(tmp_path: Path, point: str) -> None:
    """Killed when the nodes had the tags, or when the chain was told: in the end there is one commitment."""
    object_id = await stored(tmp_path)
    crashed = start(tmp_path, CAREGRID_CRASH_AT=point, **ENVIRONMENT)
    assert -signal.SIGKILL == await asyncio.to_thread(crashed.wait, TIMEOUT_S)
    left = [(1, None)]
    assert left == rows(tmp_path, "SELECT due_at IS NOT NULL, committed_at FROM proof_objects")
    process = start(tmp_path, **ENVIRONMENT)
    try:
        await asyncio.to_thread(wait_tagged, tmp_path, process)
    finally:
        kill(process)
    outside = tmp_path / "outside"
    chain = await script().open_chain(outside)
    assert 1 == await commitments(chain)
    known = await auditing.committed(chain, object_id)
    assert [(known.proof.committed_at,)] == rows(tmp_path, "SELECT committed_at FROM proof_objects")
    proving = script().open_nodes(script().FileStore(outside / "objects"), outside)
    for number in range(12):
        assert 2 == len(await proving.store.held_tags(FragmentPlace.numbered(object_id, number)))
    assert not (tmp_path / "home" / FOLDER).exists()


async def stored(folder: Path) -> bytes:
    """Store an object, have the chain note it, and return its id."""
    outside = folder / "outside"
    outside.mkdir()
    chain, source = await script().open_chain(outside), folder / "source"
    source.write_bytes(CONTENT)
    object_id: bytes = await script().FileStore(outside / "objects").put(source)
    record = RecordEntry(
        record_id=bytes(16),
        patient_id=PATIENT,
        offset=0,
        length=len(CONTENT),
        digest=bytes(32),
        format=RecordFormat.BINARY,
    )
    entry = ObjectEntry(object_id=object_id, size=len(CONTENT), record_count=1, manifest_root=bytes(32))
    await chain.submitter(OPERATOR).submit(calls.store_emr(ORGANISATION, entry, record))
    return object_id


def wait_tagged(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until nothing is to be tagged any more."""
    deadline = time.monotonic() + TIMEOUT_S
    while [(None,)] != rows(folder, "SELECT due_at FROM proof_objects"):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)


async def commitments(chain: Any) -> int:
    """Return how often a chain took a commitment."""
    head, count = await chain.finalized_head(), 0
    async for block in chain.finalized_blocks(0):
        count += sum(event.name == "ProofCommitted" for event in block.events)
        if block.ref == head:
            break
    return count
