"""Erasures on the real node: by another hand than the sidecar's, and past a restored backup."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from caregrid.chain import calls
from caregrid.client import EmrClient
from ocw_sidecar.adapters.erasure_list import LIST_FILE
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.devnet import processes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Network

#: Some blocks, on a busy machine.
DEADLINE_S = 120.0


def queue(network: Network) -> Path:
    """Return the sidecar's database."""
    return network.devnet.layout.sidecar / QUEUE_FILE


def has_key(network: Network, record: str) -> bool:
    """Whether the sidecar's database has a key of a record."""
    with closing(sqlite3.connect(queue(network))) as database:
        found = database.execute("SELECT 1 FROM keys WHERE id = ?", [bytes.fromhex(record)]).fetchone()
    return found is not None


def submitted(network: Network, path: Path) -> str:
    """Submit a file and return its record."""
    [item] = network.submit(path)["records"]
    assert item["state"] in {"confirmed", "duplicate"}
    return str(item["record"] if item["state"] == "confirmed" else item["duplicates"])


def require_erased(network: Network, record: str) -> None:
    """Whoever asks is told so, by every command that looks at the record."""
    for words in (("emr", "get"), ("emr", "show"), ("grants", "list"), ("grants", "requests")):
        for profile in (network.clinic, network.reader):
            answer = network.run(*words, record, "--json", profile=profile)
            assert (38, "RECORD_ERASED") == (answer.exit_code, answer.error["error"]), words


async def test_what_another_operator_erased_is_destroyed_here(network: Network, observation: Path) -> None:
    """His call names no sidecar; the block that has it is enough."""
    record = submitted(network, observation)
    assert has_key(network, record)
    async with await EmrClient.from_profile(network.clinic) as client:
        assert client.organisation is not None
        await client.submitter.submit(calls.erase_record(client.organisation, bytes.fromhex(record)))
    deadline = time.monotonic() + DEADLINE_S
    while has_key(network, record):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    shown = network.run("emr", "erasure", record, "--json").json
    assert ("keys_destroyed", "chain") == (shown["receipts"][0]["step"], shown["receipts"][0]["cause"])
    require_erased(network, record)


@pytest.mark.parametrize("lost", [False, True], ids=["list kept", "list lost"])
def test_a_restored_backup_brings_nothing_back(
    network: Network, observation: Path, tmp_path: Path, *, lost: bool
) -> None:
    """By the list in the home folder or, where that is lost as well, by the chain."""
    record = submitted(network, observation)
    copy = tmp_path / "backup.sqlite3"
    with closing(sqlite3.connect(queue(network))) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    erased = network.run("emr", "erase", record, "--yes", "--wait", "--json")
    assert "erased" in {each["step"] for each in erased.json["receipts"]}, erased.stderr
    sidecar = network.devnet.process("sidecar")
    assert sidecar is not None
    sidecar.stop()
    processes.collect()
    for suffix in ("-wal", "-shm"):
        queue(network).with_name(f"{QUEUE_FILE}{suffix}").unlink(missing_ok=True)
    copy.replace(queue(network))
    assert has_key(network, record)
    if lost:
        (network.devnet.layout.sidecar / LIST_FILE).unlink()
    network.devnet.restart_sidecar()
    assert not has_key(network, record), "gone before it serves"
    require_erased(network, record)
