"""Three sidecars on one PostgreSQL, with the real node and the local storage network."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocw_sidecar.devnet import Devnet, chain, processes
from ocw_sidecar.devnet.network import Parts
from storage_network.launch import wait_until
from tests.databases import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiohttp import ClientSession

    from ocw_sidecar.devnet.chain import ChainParts
    from tests.postgres_server import PostgresServer

SIDECARS = 3
START_TIMEOUT_S = 60.0
POLL_S = 0.2
#: How long a dead process holds what it worked on; short, so that others take it over soon.
LEASE_S = 5
_RUN = (sys.executable, "-m", "ocw_sidecar.cli", "sidecar", "run")


class Sidecar:
    """One of the processes, with a home folder and a port of its own."""

    def __init__(self, network: Devnet, number: int, database_url: str) -> None:
        self._layout, self.number = network.layout, number
        # The first has the folder with the application's token.
        self._home = self._layout.sidecar if number == 0 else self._layout.root / f"sidecar-{number}"
        self._home.mkdir(mode=0o700, exist_ok=True)
        self._port = processes.free_port()
        self._settings = {
            "CAREGRID_DATABASE__URL": database_url,
            "CAREGRID_HOME": str(self._home),
            "CAREGRID_KEY_STORE_FILE": str(self._layout.sidecar / "keystore.json"),
            "CAREGRID_READY_FILE": str(self._home / "ready.json"),
            "CAREGRID_PORT": str(self._port),
            "CAREGRID_LEASE_S": str(LEASE_S),
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        ready = self._home / "ready.json"
        ready.unlink(missing_ok=True)
        with (self._layout.logs / f"sidecar-{self.number}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_RUN, "--config", str(self._layout.sidecar_config)],
                env=dict(os.environ) | self._settings,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready.exists():
            assert self.alive, f"sidecar {self.number} did not start; its log is in {self._layout.logs}"
            assert time.monotonic() < deadline
            time.sleep(POLL_S)
        assert self.url == json.loads(ready.read_text())["url"]

    def kill(self) -> None:
        """End it without warning."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    async def leads(self, session: ClientSession) -> bool:
        """Tell whether it is the one that submits."""
        async with session.get(f"{self.url}/metrics") as answer:
            found = re.search(r"^caregrid_leader (\S+)$", await answer.text(), re.MULTILINE)
        assert found is not None
        return float(found[1]) == 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """The hospital, and what it runs on."""

    network: Devnet
    node: ChainParts
    server: PostgresServer
    sidecars: list[Sidecar]

    @property
    def token(self) -> str:
        """The application's token."""
        return (self.network.layout.root / "clinic.token").read_text()

    @property
    def living(self) -> list[Sidecar]:
        """The sidecars that run."""
        return [one for one in self.sidecars if one.alive]

    async def leader(self, session: ClientSession) -> Sidecar:
        """Wait until one leads, and return it; two never do."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            leading = [one for one in self.living if await one.leads(session)]
            assert len(leading) <= 1
            if leading:
                return leading[0]
            await asyncio.sleep(POLL_S)
        raise AssertionError("nobody leads")

    def restart_node(self) -> None:
        """Kill the node without warning, and start it on the same database and port."""
        running = self.network.process("chain")
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        assert wait_until(lambda: not running.alive, processes.STOP_TIMEOUT_S)
        processes.collect()
        port = int(running.url.rpartition(":")[2])
        noted = [one for one in processes.load(self.network.layout.processes) if one.name != "chain"]
        started = chain.start(self.node, self.network.layout, port)
        processes.save(self.network.layout.processes, [*noted, started])


@contextmanager
def running_site(folder: Path, node: ChainParts) -> Iterator[Site]:
    """Start everything, and stop it at the end; blocks."""
    network = Devnet(folder)
    with running_server(durable=True) as server:
        url = server.url(server.create_database())
        network.up(Parts(chain=node, with_sidecar=False), lambda _: None)
        sidecars = [Sidecar(network, number, url) for number in range(SIDECARS)]
        try:
            for one in sidecars:
                one.start()
            yield Site(network=network, node=node, server=server, sidecars=sidecars)
        finally:
            for one in sidecars:
                if one.alive:
                    one.kill()
            network.down()
