"""The workers of a running sidecar, on the real node and the local storage network."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any

from caregrid.chain import Escrowed, RecordScope, calls
from caregrid.chain.port import Pending
from caregrid.client import EmrClient
from ocw_sidecar.devnet import processes
from storage_network.launch import wait_until
from tests.acceptance.conftest import confirmed
from tests.command_line import caregrid

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Network

#: A delivery takes a block or two; a busy machine makes them late.
DELIVERY_TIMEOUT_S = 60.0


def sidecar(network: Network, *arguments: object) -> dict[str, Any]:
    """Run a command of the sidecar's operator."""
    config = network.devnet.layout.sidecar_config
    answer = caregrid("sidecar", *arguments, "--config", config, "--json")
    assert 0 == answer.exit_code, answer.stderr
    return dict(answer.json)


async def test_a_plain_wallets_grant_gets_its_key_within_two_blocks(
    network: Network, observation: Path
) -> None:
    """Who grants without a key need do nothing more: the custodian's sidecar escrows it at once."""
    [record] = confirmed(network.submit(observation))
    scope = RecordScope(record_id=bytes.fromhex(record))
    async with (
        await EmrClient.from_profile(network.clinic) as clinic,
        await EmrClient.from_profile(network.reader) as reader,
    ):
        head = await clinic.chain.finalized_head()
        receipt = await clinic.submitter.submit(
            calls.grant_access(
                scope,
                reader.identity.account,
                expires_at=head.number + 1_000,
                purpose="Treatment",
                key=Pending(),
            )
        )
        final = (await clinic.chain.finalized_head()).number
        async with asyncio.timeout(DELIVERY_TIMEOUT_S):
            delivered = await delivery_after(clinic, receipt.block.number)
        grant = await clinic.chain.grant(scope, reader.identity.account)
    assert grant is not None
    assert isinstance(grant.key, Escrowed)
    assert delivered - final <= 2


async def delivery_after(client: EmrClient, number: int) -> int:
    """Return the number of the block with the next delivery."""
    async for block in client.chain.finalized_blocks(number):
        if any(event.name == "KeyDelivered" for event in block.events):
            return block.ref.number
    raise AssertionError


async def test_storage_is_looked_after(network: Network, observation: Path) -> None:
    """A single run of each worker that looks after storage ends in a report on the chain."""
    network.submit(observation)
    async with asyncio.timeout(DELIVERY_TIMEOUT_S):
        reported = 0
        while not reported:  # the sidecar's own view may be a block behind the submitter's
            health = await asyncio.to_thread(sidecar, network, "run-once", "storage-health")
            assert (True, None) == (health["by_daemon"], health["reason"])
            reported = health["items"]["reported"]
    assert 0 == health["items"]["troubled"]
    proof = await asyncio.to_thread(sidecar, network, "run-once", "integrity")
    assert proof["items"]["checked"] == proof["items"]["passed"]
    assert 0 < proof["items"]["reported"]


def test_a_kill_is_no_gap(network: Network) -> None:
    """After `kill -9` and a restart the clock goes on from its cursor; a pause outlasts both."""
    sidecar(network, "pause", "purge")
    process = network.devnet.process("sidecar")
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.alive, processes.STOP_TIMEOUT_S)
    processes.collect()
    before = sidecar(network, "status")["clock"]["block"]
    network.devnet.restart_sidecar()
    assert wait_until(lambda: sidecar(network, "status")["clock"]["block"] > before + 3, DELIVERY_TIMEOUT_S)
    status = sidecar(network, "status")
    assert status["running"]
    assert ["purge"] == [each["worker"] for each in status["workers"] if each["paused"]]
    sidecar(network, "resume", "purge")


def test_doctor_looks_at_the_sidecar_too(network: Network) -> None:
    """With the sidecar's configuration everything that its operator has to see is healthy."""
    config = network.devnet.layout.sidecar_config
    answer = caregrid("doctor", "--config", config, "--json")
    checks = {each["check"]: each for each in answer.json["checks"]}
    assert 0 == answer.exit_code, json.dumps(checks)
    expected = {"configuration", "disk", "keys", "chain", "balance", "role", "storage", "wall clock"}
    expected |= {"storage nodes", "territory", "chain endpoints", "validation", "key files", "key store"}
    gateway = f"gateway {network.devnet.storage.gateway_url}"
    assert expected | {gateway, "sidecar", "clock", "workers"} == set(checks)
