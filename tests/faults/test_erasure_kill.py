"""`kill -9` of a sidecar that erases a record: in the end it is erased, once, and no key is left."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from ocw_sidecar.api import create_token
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint
from tests.databases import TEMPLATE
from tests.faults.test_kill import FHIR, Order, Site, load_script, observation, wrapped_keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORDER = Order("small", FHIR, observation("small"), (observation("small"),))
POINTS = [point for point in WorkerCrashPoint if point.startswith("ERASURE")]
TIMEOUT_S = 120.0


@pytest.fixture(params=["sqlite", "postgres"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site without a running sidecar, with either kind of database; what runs at the end is killed."""
    url = None
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.create_database(template=TEMPLATE))
    home, outside = tmp_path / "home", tmp_path / "outside"
    outside.mkdir()
    made = Site(home=home, outside=outside, token=create_token(home), database=url)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


async def ask(site: Site, method: str, record: str) -> tuple[int, Any]:
    """Ask for an erasure, or how far it is; 0 when the sidecar died over it."""
    headers = {"Authorization": f"Bearer {site.token}"}
    async with ClientSession(headers=headers, timeout=ClientTimeout(total=30)) as session:
        try:
            async with session.request(
                method, f"{site.url}/v1/records/{record}/erasure", json={} if method == "POST" else None
            ) as response:
                return response.status, await response.json()
        except (ClientError, OSError):
            return 0, None


async def until_gone(site: Site, record: str) -> list[str]:
    """Wait for the end of an erasure and return the steps of its receipts."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        status, answer = await ask(site, "GET", record)
        assert 200 == status, answer
        if answer["state"] == "gone":
            return [json.loads(each["body"])["step"] for each in answer["receipts"]]
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.1)


async def erasures_on(site: Site) -> int:
    """Count the chain's calls that erased something."""
    chain = await load_script().open_chain(site.outside)
    head, count = await chain.finalized_head(), 0
    async for block in chain.finalized_blocks(0):
        count += sum(event.name == "RecordErased" for event in block.events)
        if block.ref == head:
            return int(count)
    raise AssertionError("the chain has no head")


@pytest.mark.parametrize("point", POINTS)
async def test_an_erasure_survives_a_kill(site: Site, point: WorkerCrashPoint) -> None:
    """Cut short behind each step, whether or not it was acknowledged: the list or the database knows."""
    await asyncio.to_thread(site.start, point)
    await site.send_all((ORDER,))
    [item] = await site.settled(ORDER.key)
    record = item["record"]
    assert [bytes.fromhex(record)] == list(wrapped_keys(site))
    status, _ = await ask(site, "POST", record)
    acknowledged = point not in {"ERASURE_LISTED", "ERASURE_DECIDED"}
    assert status in ({0, 202} if acknowledged else {0})  # the worker may be quicker than the answer
    await asyncio.to_thread(site.wait_for_kill)
    await asyncio.to_thread(site.start)
    assert {} == wrapped_keys(site), "gone before anything is served"
    steps = await until_gone(site, record)
    assert ["keys_destroyed", "erased", "bytes_gone"] == [each for each in steps if each != "erased_by_call"]
    assert 1 == await erasures_on(site)
    assert [] == list((site.outside / "objects").glob("*.object"))
