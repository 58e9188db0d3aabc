"""The daemon as a whole, in this process: it starts, works, and stops in good order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession

from caregrid.errors import ConfigInvalid, PortTaken
from caregrid.storage import MemoryObjectStore
from ocw_sidecar import supervisor
from ocw_sidecar.api import create_token
from ocw_sidecar.pipeline.steps import StoreStep
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import ORGANISATION, PATIENT, World, memory_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.storage import Progress, Source

OBSERVATION = b'{"resourceType": "Observation", "status": "final", "code": {"text": "Heart rate"}}'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose tick is so slow that only bells can drive the work in time."""
    return Settings.load(
        home=tmp_path / "home",
        organisation=ORGANISATION,
        port=0,
        ready_file=tmp_path / "ready.json",
        pack_age_limit_s=0.0,
        min_free_disk=0,
        tick_s=3600.0,
        drain_s=5.0,
    )


@dataclass(frozen=True)
class Running:
    """A daemon that answers."""

    url: str
    token: str
    stop: asyncio.Event
    daemon: asyncio.Task[None]

    async def post(self, session: ClientSession, body: bytes = OBSERVATION) -> str:
        """Submit a record and return its id."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "X-CareGrid-Patient": PATIENT.hex(),
            "Content-Type": "application/fhir+json",
        }
        async with session.post(f"{self.url}/v1/submissions", data=body, headers=headers) as response:
            assert 202 == response.status
            return str((await response.json())["submission"])

    async def settled(self, session: ClientSession, submission: str) -> dict[str, Any]:
        """Wait for a submission's end."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.url}/v1/submissions/{submission}?wait=30"
        async with session.get(url, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
        return answer


def appears(path: Path) -> dict[str, Any]:
    """Wait for the ready file; blocks."""
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ready: dict[str, Any] = json.loads(path.read_text())
    return ready


@asynccontextmanager
async def daemon(settings: Settings, world: World) -> AsyncIterator[Running]:
    """Run a daemon for the length of the block."""
    stop, token = asyncio.Event(), create_token(settings.home)
    assert settings.ready_file is not None
    async with asyncio.TaskGroup() as group:
        running = group.create_task(supervisor.run(settings, ports=world.ports, stop=stop))
        try:
            ready = await asyncio.to_thread(appears, settings.ready_file)
            yield Running(ready["url"], token, stop, running)
        finally:
            stop.set()


async def test_record_goes_through_on_bells_alone(settings: Settings) -> None:
    """Each step wakes the next: a record is confirmed long before any tick."""
    world = await memory_world()
    async with daemon(settings, world) as running, ClientSession() as session, asyncio.timeout(20):
        found = await running.settled(session, await running.post(session))
    assert ["confirmed"] == [record["state"] for record in found["records"]]


async def test_ready_file_tells_process_and_url_while_it_answers(settings: Settings) -> None:
    """Whoever started the daemon learns where it listens; afterwards the file is gone."""
    assert settings.ready_file is not None
    async with daemon(settings, await memory_world()) as running:
        ready = json.loads(settings.ready_file.read_text())
        assert {"pid": os.getpid(), "url": running.url} == ready
    assert not settings.ready_file.exists()


async def test_sigterm_stops_it_in_good_order(settings: Settings) -> None:
    """After SIGTERM the daemon returns by itself, and the port is free again."""
    async with daemon(settings, await memory_world()) as running, asyncio.timeout(10):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait([running.daemon])
        assert running.daemon.exception() is None


async def test_running_upload_may_finish(settings: Settings) -> None:
    """A step that runs when the stop comes is finished, and the next start goes on from there."""
    store = SlowStore(delay_s=0.3)
    world = replace(await memory_world(), store=store)
    world = replace(world, ports=replace(world.ports, store=store))
    async with daemon(settings, world) as running, ClientSession() as session:
        submission = await running.post(session)
        async with asyncio.timeout(10):
            await store.began.wait()
    assert 1 == store.finished
    async with daemon(settings, world) as running, ClientSession() as session, asyncio.timeout(20):
        assert (await running.settled(session, submission))["settled"]
    assert 1 == store.finished


async def test_stop_does_not_wait_for_ever(settings: Settings) -> None:
    """A step that hangs is cut off at the deadline; its record is safe in the queue."""
    store = SlowStore(delay_s=3600.0)
    world = await memory_world()
    world = replace(world, ports=replace(world.ports, store=store))
    hasty = settings.model_copy(update={"drain_s": 0.1})
    async with asyncio.timeout(10), daemon(hasty, world) as running, ClientSession() as session:
        await running.post(session)
        await store.began.wait()
    assert 0 == store.finished


class SlowStore(MemoryObjectStore):
    """A store that takes its time."""

    def __init__(self, delay_s: float) -> None:
        super().__init__()
        self.began, self.finished, self._delay_s = asyncio.Event(), 0, delay_s

    async def put(self, source: Source, *, progress: Progress | None = None) -> bytes:
        """Store, slowly."""
        self.began.set()
        await asyncio.sleep(self._delay_s)
        object_id = await super().put(source, progress=progress)
        self.finished += 1
        return object_id


async def test_second_sidecar_on_one_home_is_refused(settings: Settings) -> None:
    """Two daemons never share a queue; the message names the folder."""
    world = await memory_world()
    async with daemon(settings, world):
        with pytest.raises(ConfigInvalid, match="another sidecar runs on the home folder"):
            await supervisor.run(settings, ports=world.ports)


async def test_taken_port_is_named(settings: Settings) -> None:
    """A port that somebody else holds is a typed error, and the home folder is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port}"):
            await supervisor.run(
                settings.model_copy(update={"port": port}), ports=(await memory_world()).ports
            )
    async with daemon(settings, await memory_world()):
        pass


async def test_dying_worker_stops_the_daemon(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug outside any item's work ends the daemon with that bug; it does not limp on."""

    async def broken(_: StoreStep) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(StoreStep, "run_once", broken)
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(10):
            await supervisor.run(settings, ports=(await memory_world()).ports)
    assert settings.ready_file is not None
    assert not settings.ready_file.exists()
