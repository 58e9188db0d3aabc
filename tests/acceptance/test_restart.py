"""A sidecar that is killed in the middle loses nothing and does nothing twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING

from caregrid.client import EmrClient
from caregrid.records import RecordFormat
from ocw_sidecar.devnet import processes
from storage_network.launch import wait_until
from tests.stored import stored_records

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Network

#: Moments after the acknowledgement: while validating, packing, uploading and anchoring.
DELAYS_S = (0.0, 0.3, 1.2, 2.5)


def resource(number: int) -> bytes:
    """Return a small resource that conforms."""
    value = {"resourceType": "Observation", "status": "final", "code": {"text": f"case {number}"}}
    return json.dumps(value).encode()


def kill_sidecar(network: Network) -> None:
    """Kill the daemon without warning."""
    process = network.devnet.process("sidecar")
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.alive, processes.STOP_TIMEOUT_S)
    processes.collect()


async def test_kill_and_restart_lose_nothing(network: Network) -> None:
    """What was acknowledged before each kill is final in the end, once, and readable."""
    submissions, head = [], 0
    for number, delay in enumerate(DELAYS_S):
        async with await EmrClient.from_profile(network.clinic) as client:
            assert client.sidecar is not None
            if number == 0:
                patient = await client.register_patient()
                head = (await client.chain.finalized_head()).number
            submissions.append(
                await client.sidecar.submit(
                    resource(number), patient_id=patient, format=RecordFormat.FHIR_R4_JSON
                )
            )
            await asyncio.sleep(delay)
        kill_sidecar(network)
        await asyncio.to_thread(network.devnet.restart_sidecar)

    async with await EmrClient.from_profile(network.clinic) as client:
        assert client.sidecar is not None
        for number, submission in enumerate(submissions):
            [item] = (await client.sidecar.wait(submission, timeout_s=120)).items
            assert "confirmed" == item.state
            assert resource(number) == await client.get(item.record_id)
        stored = await stored_records(client.chain, head)
    assert len(stored) == len(set(stored)) == len(submissions)


def test_a_gateway_that_is_down_delays_and_loses_nothing(network: Network, observation: Path) -> None:
    """What is submitted meanwhile waits in the queue, and goes on by itself when the gateway is back."""
    network.devnet.storage.kill_gateway()
    try:
        answer = network.run("emr", "submit", observation, "--timeout", 5, "--json")
        assert (43, "NOT_YET_ANCHORED") == (answer.exit_code, answer.error["error"])
        assert "STORAGE_UNREACHABLE" in answer.error["message"]
        submission = answer.error["submission"]
        assert not network.run("emr", "status", submission, "--json").json["settled"]
    finally:
        network.devnet.storage.restart_gateway()
    done = network.run("emr", "status", submission, "--timeout", 120, "--json")
    assert (0, 1) == (done.exit_code, done.json["confirmed"])
    record = done.json["records"][0]["record"]
    assert observation.read_bytes() == network.run("emr", "get", record).stdout
