"""The chain's runtime is replaced under a sidecar that is at work: real node, real storage, real daemon."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp import ClientSession, ClientTimeout

from caregrid.chain import Escrowed, PatientScope, Pending, calls
from caregrid.client import EmrClient
from ocw_sidecar.devnet import Devnet
from ocw_sidecar.devnet.network import Parts
from tests.bench.sidecar.load import observation
from tests.faults.newer_runtime import newer
from tests.faults.remarks import submitter
from tests.faults.test_chain_upgrade import RENAMED, sudoer, upgrade_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from caregrid.chain import FinalizedBlock
    from ocw_sidecar.devnet.chain import ChainParts

REQUEST_TIMEOUT: Final = ClientTimeout(total=20)
#: Between two submissions; a pack closes each second, so some call is always on its way.
PAUSE_S: Final = 0.1
#: How long records come in before the upgrade is sent, and after it was final.
BEFORE_S: Final = 4.0
AFTER_S: Final = 5.0
SETTLE_TIMEOUT_S: Final = 90.0


@pytest.fixture
def network(node_parts: ChainParts, tmp_path: Path) -> Iterator[Devnet]:
    """A hospital on a chain of its own, which may be upgraded."""
    made = Devnet(tmp_path / "devnet")
    made.up(Parts(chain=node_parts), lambda _: None)
    yield made
    made.down()


class Application:
    """Submits records, and waits for what becomes of them."""

    def __init__(self, network: Devnet, session: ClientSession, patient: bytes) -> None:
        process = network.process("sidecar")
        assert process is not None
        self._url, self._session, self._patient = process.url, session, patient
        self.acknowledged: list[str] = []

    async def submit_until(self, stop: asyncio.Event) -> None:
        """Submit one record after the other; every one is taken in."""
        headers = {"X-CareGrid-Patient": self._patient.hex(), "Content-Type": "application/fhir+json"}
        while not stop.is_set():
            resource = observation(len(self.acknowledged))
            url = f"{self._url}/v1/submissions"
            async with self._session.post(url, json=resource, headers=headers) as answer:
                assert 202 == answer.status, await answer.text()
                self.acknowledged.append((await answer.json())["submission"])
            await asyncio.sleep(PAUSE_S)

    async def settled(self, submission: str) -> list[dict[str, Any]]:
        """Return a submission's records when nothing more will become of them."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while time.monotonic() < deadline:
            url = f"{self._url}/v1/submissions/{submission}?wait=10"
            async with self._session.get(url) as answer:
                found = dict(await answer.json())
            if found["settled"]:
                return list(found["records"])
        raise AssertionError(found)


async def test_an_upgrade_stops_no_sidecar(network: Devnet, node_program: Path) -> None:
    """Whatever was acknowledged before, during and after is anchored once, by a process that works on."""
    code, version = newer((node_program.parent / "runtime.wasm").read_bytes(), renamed=RENAMED)
    before = network.process("sidecar")
    assert before is not None
    headers = {"Authorization": f"Bearer {(network.layout.root / 'clinic.token').read_text()}"}
    async with (
        await EmrClient.from_profile(network.layout.profile("clinic")) as clinic,
        await EmrClient.from_profile(network.layout.profile("reader")) as reader,
        ClientSession(headers=headers, timeout=REQUEST_TIMEOUT) as session,
    ):
        patient = await clinic.register_patient()
        begun = (await clinic.chain.finalized_head()).number
        application, stop = Application(network, session, patient), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(application.submit_until(stop))
            await asyncio.sleep(BEFORE_S)
            height = await upgrade(network, code)
            await asyncio.sleep(AFTER_S)
            stop.set()
        records = [record for each in application.acknowledged for record in await application.settled(each)]
        assert version == await clinic.chain.spec_version()
        await deliver_a_key(clinic, reader, patient)
        blocks = await blocks_of(clinic, begun)

    assert Counter({"confirmed": len(application.acknowledged)}) == Counter(each["state"] for each in records)
    stored = [(record, block.ref.number) for block in blocks for record in stored_in(block)]
    assert dict.fromkeys((bytes.fromhex(each["record"]) for each in records), 1) == Counter(
        record for record, _ in stored
    )
    assert {True, False} == {number <= height for _, number in stored}
    assert before == network.process("sidecar"), "it is the process that was started first"
    assert [] == complaints(network)


async def upgrade(network: Devnet, code: bytes) -> int:
    """Replace the runtime; return the block that did."""
    chain = network.process("chain")
    assert chain is not None
    sudo = submitter(sudoer(), chain.url)
    try:
        return (await sudo.submit(upgrade_to(code))).block.number
    finally:
        await sudo.close()


async def deliver_a_key(clinic: EmrClient, reader: EmrClient, patient: bytes) -> None:
    """Grant access without a key: the sidecar sees it in a block of the new runtime, and delivers one."""
    scope, grantee = PatientScope(patient_id=patient), reader.identity.account
    head = await clinic.chain.finalized_head()
    call = calls.grant_access(
        scope, grantee, expires_at=head.number + 1_000, purpose="Treatment", key=Pending()
    )
    await clinic.submitter.submit(call)
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while time.monotonic() < deadline:
        grant = await clinic.chain.grant(scope, grantee)
        if grant is not None and isinstance(grant.key, Escrowed):
            return
        await asyncio.sleep(PAUSE_S)
    raise AssertionError("no key was delivered")


async def blocks_of(client: EmrClient, start: int) -> list[FinalizedBlock]:
    """Return the finalized blocks from one on."""
    end, found = (await client.chain.finalized_head()).number, list[Any]()
    async for block in client.chain.finalized_blocks(start):
        found.append(block)
        if block.ref.number >= end:
            break
    return found


def stored_in(block: FinalizedBlock) -> list[bytes]:
    """Return the records that a block anchors, repetitions included."""
    return [event.fields["record"] for event in block.events if event.name == "RecordStored"]


def complaints(network: Devnet) -> list[dict[str, Any]]:
    """Return what the sidecar logged that is worse than a warning, and each start but the first."""
    lines = (network.layout.logs / "sidecar.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    starts = [entry for entry in entries if entry["event"] == "started"]
    return [entry for entry in entries if entry["level"] in {"error", "critical"}] + starts[1:]
