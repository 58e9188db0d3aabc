"""Three sidecars on one PostgreSQL, the real node and the local network: the one that submits is killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from caregrid.chain import SubstrateChain
from caregrid.client import EmrClient
from ocw_sidecar.devnet import Devnet
from ocw_sidecar.devnet.network import Parts
from tests.bench.sidecar.load import observation
from tests.databases import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocw_sidecar.devnet.chain import ChainParts

RECORDS = 60
START_TIMEOUT_S = 60.0
#: A lease runs out in 5 s and a new leader leads within 10 s; the rest is for blocks on a busy machine.
SETTLE_TIMEOUT_S = 150.0
POLL_S = 0.2


@dataclass
class Sidecar:
    """One of the processes, with a home folder of its own."""

    process: subprocess.Popen[bytes]
    home: Path
    url: str = ""

    async def metric(self, session: ClientSession, name: str) -> float:
        """Return one of its metrics."""
        async with session.get(f"{self.url}/metrics") as answer:
            found = re.search(rf"^{name} (\S+)$", await answer.text(), re.MULTILINE)
        assert found is not None, name
        return float(found[1])


@dataclass(frozen=True)
class Site:
    """The hospital: three sidecars, and what they share."""

    network: Devnet
    sidecars: list[Sidecar]

    @property
    def living(self) -> list[Sidecar]:
        """Those that run."""
        return [one for one in self.sidecars if one.process.poll() is None]

    async def leader(self, session: ClientSession) -> Sidecar:
        """Wait until exactly one leads, and return it."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            leading = [one for one in self.living if await one.metric(session, "caregrid_leader")]
            assert len(leading) <= 1
            if leading:
                return leading[0]
            await asyncio.sleep(POLL_S)
        raise AssertionError("nobody leads")


@pytest.fixture
def site(node_parts: ChainParts, tmp_path: Path) -> Iterator[Site]:
    """A network whose three sidecars run on one database that waits for the disk."""
    network = Devnet(tmp_path / "devnet")
    with running_server(durable=True) as server:
        url = server.url(server.create_database())
        network.up(Parts(chain=node_parts, with_sidecar=False), lambda _: None)
        sidecars = [start(network, number, url) for number in range(3)]
        try:
            for one in sidecars:
                wait_until_ready(one)
            yield Site(network, sidecars)
        finally:
            for one in sidecars:
                one.process.kill()
                one.process.wait()
            network.down()


def start(network: Devnet, number: int, url: str) -> Sidecar:
    """Start a sidecar; the first has the home folder with the application's token."""
    layout = network.layout
    home = layout.sidecar if number == 0 else layout.root / f"sidecar-{number}"
    home.mkdir(mode=0o700, exist_ok=True)
    settings = {
        "CAREGRID_DATABASE__URL": url,
        "CAREGRID_HOME": str(home),
        "CAREGRID_KEY_STORE_FILE": str(layout.sidecar / "keystore.json"),
        "CAREGRID_READY_FILE": str(home / "ready.json"),
        "CAREGRID_PORT": "0",
        "CAREGRID_LEASE_S": "5",
    }
    with (layout.logs / f"sidecar-{number}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ocw_sidecar.cli", "sidecar", "run", "--config", layout.sidecar_config],
            env=dict(os.environ) | settings,
            stdout=log,
            stderr=log,
        )
    return Sidecar(process, home)


def wait_until_ready(one: Sidecar) -> None:
    """Wait until a sidecar answers."""
    ready, deadline = one.home / "ready.json", time.monotonic() + START_TIMEOUT_S
    while not ready.exists():
        assert one.process.poll() is None, "a sidecar did not start"
        assert time.monotonic() < deadline
        time.sleep(POLL_S)
    one.url = str(json.loads(ready.read_text())["url"])


async def test_killing_the_one_that_submits_loses_nothing_and_does_nothing_twice(site: Site) -> None:
    """Records come in at all three; the leader dies of SIGKILL while it works; the others finish."""
    token = (site.network.layout.root / "clinic.token").read_text()
    async with await EmrClient.from_profile(site.network.layout.profile("clinic")) as client:
        patient = await client.register_patient()
        chain = client.chain
        begun = (await chain.finalized_head()).number
        headers = {"Authorization": f"Bearer {token}"}
        async with ClientSession(headers=headers, timeout=ClientTimeout(total=60)) as session:
            leader = await site.leader(session)
            submissions = [
                await submit(session, site.sidecars[number % 3], patient, number) for number in range(RECORDS)
            ]
            await under_way(session, site.living[0], submissions[0])
            os.kill(leader.process.pid, signal.SIGKILL)
            leader.process.wait()
            assert leader is not await site.leader(session)
            records = [
                record
                for submission in submissions
                for record in await settled(session, site.living, submission)
            ]
        assert Counter({"confirmed": RECORDS}) == Counter(record["state"] for record in records)
        stored = await stored_since(chain, begun)
    assert Counter(bytes.fromhex(record["record"]) for record in records) == stored


async def submit(session: ClientSession, one: Sidecar, patient: bytes, number: int) -> str:
    """Submit a resource to one of the sidecars and return the submission's id."""
    headers = {"X-CareGrid-Patient": patient.hex(), "Content-Type": "application/fhir+json"}
    async with session.post(f"{one.url}/v1/submissions", json=observation(number), headers=headers) as answer:
        assert 202 == answer.status, await answer.text()
        return str((await answer.json())["submission"])


async def under_way(session: ClientSession, one: Sidecar, submission: str) -> None:
    """Wait until a submission's record waits for its anchoring, or is past it."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while time.monotonic() < deadline:
        states = {record["state"] for record in (await look(session, one, submission))["records"]}
        if states & {"stored", "anchored", "confirmed"}:
            return
        await asyncio.sleep(POLL_S / 4)
    raise AssertionError("nothing was stored")


async def settled(session: ClientSession, living: list[Sidecar], submission: str) -> list[dict[str, Any]]:
    """Wait until a submission is at its end, whoever answers."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while time.monotonic() < deadline:
        found = await look(session, living[0], submission)
        if found["settled"]:
            return list(found["records"])
        await asyncio.sleep(POLL_S)
    raise AssertionError(found)


async def look(session: ClientSession, one: Sidecar, submission: str) -> dict[str, Any]:
    """Return how far a submission has come."""
    try:
        async with session.get(f"{one.url}/v1/submissions/{submission}") as answer:
            return dict(await answer.json())
    except ClientError as exc:
        raise AssertionError("a living sidecar does not answer") from exc


async def stored_since(chain: Any, begun: int) -> Counter[bytes]:
    """Count the events that say that a record was stored, in finalized blocks."""
    assert isinstance(chain, SubstrateChain)
    head, stored = (await chain.finalized_head()).number, Counter[bytes]()
    async for block in chain.finalized_blocks(begun):
        stored.update(
            event.fields["record"]
            for event in block.events
            if (event.pallet, event.name) == ("Emr", "RecordStored")
        )
        if block.ref.number >= head:
            return stored
    return stored
