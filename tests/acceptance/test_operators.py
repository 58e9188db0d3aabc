"""The sidecar's operator changes on a running network: two overlap, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from caregrid.chain import calls
from caregrid.client import EmrClient
from caregrid.keys import encode_account
from caregrid.records import RecordFormat
from ocw_sidecar.devnet import processes
from storage_network.launch import wait_until
from tests.acceptance.test_docs import blocks
from tests.stored import stored_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caregrid.intake import SidecarClient
    from tests.acceptance.conftest import Network

PAGE = "docs/how-to/rotate-keys.md"
TIMEOUT_S = 120.0
RECORDS = 6


@pytest.fixture
def hospital(network: Network, tmp_path: Path) -> Iterator[Path]:
    """A profile of the organisation; operator and configuration are afterwards what they were."""
    own = network.devnet.layout.identity("hospital")
    profile = network.profile_like(
        network.clinic, tmp_path / "hospital.toml", identity=own, without=["token_file"]
    )
    config = network.devnet.layout.sidecar_config
    before, old = config.read_text(), account(network, "operator")
    yield profile
    network.run("operators", "add", old, profile=profile)
    config.write_text(before)
    restart(network, signal.SIGTERM)


def account(network: Network, role: str) -> str:
    """Return somebody's account."""
    return encode_account(network.devnet.identity(role).account)


def restart(network: Network, how: signal.Signals) -> None:
    """End the sidecar and start it again."""
    process = network.devnet.process("sidecar")
    assert process is not None
    os.kill(process.pid, how)
    wait_until(lambda: not process.alive, processes.STOP_TIMEOUT_S)
    processes.collect()
    network.devnet.restart_sidecar()


def shell(network: Network, folder: Path, script: str, **names: object) -> None:
    """Run one of the page's blocks as a reader would."""
    layout, programs = network.devnet.layout, Path(sys.executable).parent
    known = {"CONFIG": layout.sidecar_config, "PASSPHRASE_FILE": layout.passphrase, **names}
    environment = os.environ | {name: str(value) for name, value in known.items()}
    environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e"],
        input=script,
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr


async def submit_some(sidecar: SidecarClient, patient: bytes, start: int) -> list[bytes]:
    """Hand records in without waiting for the chain."""
    contents = [
        json.dumps({"resourceType": "Observation", "status": "final", "code": {"text": f"case {number}"}})
        for number in range(start, start + RECORDS)
    ]
    return [
        await sidecar.submit(one.encode(), patient_id=patient, format=RecordFormat.FHIR_R4_JSON)
        for one in contents
    ]


def switch(network: Network, folder: Path) -> None:
    """Configure the new operator; the old account keeps the bytes."""
    layout = network.devnet.layout
    lines = [
        line
        for line in layout.sidecar_config.read_text().splitlines()
        if not line.startswith("operator_file")
    ]
    lines += [
        f'operator_file = "{folder / "new-operator.json"}"',
        "[storage]",
        f'identity_file = "{layout.identity("operator")}"',
    ]
    layout.sidecar_config.write_text("\n".join(lines) + "\n")


async def test_an_operator_changes_under_load(network: Network, hospital: Path, tmp_path: Path) -> None:
    """The sidecar is killed with calls of the old key under way; each record is anchored once."""
    first, last = blocks(PAGE, "sh")
    old = account(network, "operator")
    async with await EmrClient.from_profile(network.clinic) as client:
        assert client.sidecar is not None
        patient = await client.register_patient()
        head = (await client.chain.finalized_head()).number
        waiting = await submit_some(client.sidecar, patient, 0)
        await asyncio.to_thread(shell, network, tmp_path, first, HOSPITAL=hospital)
        waiting += await submit_some(client.sidecar, patient, RECORDS)
        await asyncio.sleep(2.0)
    switch(network, tmp_path)
    await asyncio.to_thread(restart, network, signal.SIGKILL)
    async with await EmrClient.from_profile(network.clinic) as client:
        assert client.sidecar is not None
        waiting += await submit_some(client.sidecar, patient, 2 * RECORDS)
        records = [await settled(client.sidecar, each) for each in waiting]
        stored = await stored_records(client.chain, head)
        assert (len(records), set(records)) == (len(stored), set(stored))
        await asyncio.to_thread(shell, network, tmp_path, last, HOSPITAL=hospital, OLD=old)
        for each in await submit_some(client.sidecar, patient, 3 * RECORDS):
            assert await client.get(await settled(client.sidecar, each))
        await disappears(client, records)


async def disappears(client: EmrClient, records: list[bytes]) -> None:
    """Erase records, and wait until storage has given their objects up, as it does for their owner alone."""
    found = [await client.chain.record(each) for each in records]
    await client.submitter.submit_many(calls.erase_record(client.organisation, each) for each in records)
    fids = {each.object_id for each in found if each is not None}
    async with asyncio.timeout(TIMEOUT_S):
        for fid in fids:
            while await client.store.stat(fid) is not None:  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.5)


async def settled(sidecar: SidecarClient, submission: bytes) -> bytes:
    """Wait for a submission's one record and return its id."""
    [item] = (await sidecar.wait(submission, timeout_s=TIMEOUT_S)).items
    assert "confirmed" == item.state
    return item.record_id
