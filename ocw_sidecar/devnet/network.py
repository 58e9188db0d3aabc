"""Starts and stops a development network and says how it is."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain import SubstrateChain
from caregrid.errors import CaregridError, ChainUnreachable, ConfigInvalid, SidecarUnreachable
from caregrid.keys import Identity, encode_account
from ocw_sidecar.api import create_token
from ocw_sidecar.devnet import accounts, chain, processes
from ocw_sidecar.devnet.chain import ChainParts
from ocw_sidecar.devnet.layout import DevnetLayout
from storage_network.launch import LocalNetwork, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ocw_sidecar.devnet.processes import Process

#: A node opens its database and compiles the runtime; chopsticks loads its JavaScript and the WASM.
CHAIN_START_TIMEOUT_S: Final = 90.0
#: The sidecar imports its libraries and opens its key files.
SIDECAR_START_TIMEOUT_S: Final = 30.0
_POLL_INTERVAL_S: Final = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What to start, and on which ports; 0 takes any free one."""

    chain: ChainParts = field(default_factory=ChainParts)
    chain_port: int = 0
    gateway_port: int = 0
    sidecar_port: int = 0
    with_sidecar: bool = True


class Devnet:
    """One development network below a folder. Starting it anew begins with an empty chain."""

    def __init__(self, root: Path) -> None:
        self.layout = DevnetLayout(root.absolute())
        self.storage = LocalNetwork(self.layout.storage)

    @property
    def running(self) -> bool:
        """Whether any of its processes lives."""
        noted = processes.load(self.layout.processes)
        return any(process.alive for process in noted) or self.storage.running

    def up(self, parts: Parts, progress: Callable[[str], None]) -> None:
        """Start everything and return when records can be submitted.

        Raises:
            ConfigInvalid: it runs already, or a part is not installed.
            PortTaken: somebody listens on a port that was asked for.
        """
        if self.running:
            raise ConfigInvalid("this network runs already; `caregrid devnet down` stops it")
        self._clear()
        try:
            asyncio.run(self._up(parts, progress))
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Stop what was started; the folder stays, for its logs, until the next start."""
        for process in reversed(processes.load(self.layout.processes)):
            process.stop()
        self.storage.stop()
        processes.collect()
        self.layout.processes.unlink(missing_ok=True)

    def restart_sidecar(self) -> str:
        """Start the network's sidecar again, on its old port, after it ended; return its URL."""
        noted = processes.load(self.layout.processes)
        url = next(one.url for one in noted if one.name == "sidecar")
        self._forget("sidecar")
        return self._start_sidecar(int(url.rpartition(":")[2]))

    def process(self, name: str) -> Process | None:
        """Return the living process of a name."""
        noted = processes.load(self.layout.processes)
        return next((one for one in noted if one.name == name and one.alive), None)

    def status(self) -> dict[str, Any]:
        """Say which parts live, and where."""
        noted = {one.name: one for one in processes.load(self.layout.processes)}
        return {
            "running": self.running,
            "folder": str(self.layout.root),
            "chain": _describe(noted.get("chain")),
            "gateway": self._gateway(),
            "storage_nodes": len([name for name in self.storage.pids if name.startswith("node-")]),
            "sidecar": _describe(noted.get("sidecar")),
        }

    async def _up(self, parts: Parts, progress: Callable[[str], None]) -> None:
        progress("starting the chain")
        chain_process = chain.start(parts.chain, self.layout, parts.chain_port or processes.free_port())
        self._note(chain_process)
        progress("starting the gateway and twelve storage nodes")
        self.storage = LocalNetwork(self.layout.storage, port=parts.gateway_port)
        await asyncio.to_thread(self.storage.start)
        await _wait_for_chain(chain_process, self.layout)
        progress("registering the hospital and its readers")
        people = await asyncio.to_thread(accounts.create, self.layout)
        await accounts.register([chain_process.url], people)
        self._configure_sidecar(people["hospital"].account, chain_process.url)
        sidecar = None
        if parts.with_sidecar:
            progress("starting the sidecar")
            sidecar = await asyncio.to_thread(self._start_sidecar, parts.sidecar_port)
        accounts.write_profiles(
            self.layout,
            people,
            chain=chain_process.url,
            gateway=self.storage.gateway_url,
            sidecar=sidecar,
        )

    def _clear(self) -> None:
        root = self.layout.root
        if root.exists() and any(root.iterdir()) and not self.layout.storage.exists():
            raise ConfigInvalid(f"{root} holds other things than a development network; choose another")
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(mode=0o700, parents=True)

    def _configure_sidecar(self, organisation: bytes, chain_url: str) -> None:
        token = self.layout.root / "clinic.token"
        token.touch(mode=0o600)
        token.write_text(create_token(self.layout.sidecar))
        settings = {
            "home": str(self.layout.sidecar),
            "organisation": encode_account(organisation),
            "chain_urls": [chain_url],
            "gateway_url": self.storage.gateway_url,
            "operator_file": str(self.layout.identity("operator")),
            "passphrase_file": str(self.layout.passphrase),
            "ready_file": str(self.layout.sidecar / "ready.json"),
            "pack_age_limit_s": 1.0,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        self.layout.sidecar_config.write_text("\n".join(lines) + "\n")

    def _start_sidecar(self, port: int) -> str:
        ready = self.layout.sidecar / "ready.json"
        ready.unlink(missing_ok=True)
        config = str(self.layout.sidecar_config)
        process = processes.start(
            "sidecar",
            [sys.executable, "-m", "ocw_sidecar.cli", "sidecar", "run", "--config", config],
            log=self.layout.logs / "sidecar.log",
            url="",
            environment={"CAREGRID_PORT": str(port)},
        )
        self._note(process)
        wait_until(lambda: ready.exists() or not process.alive, SIDECAR_START_TIMEOUT_S)
        if not ready.exists():
            raise SidecarUnreachable(f"the sidecar did not start; {self.layout.logs}/sidecar.log says why")
        url = str(json.loads(ready.read_text())["url"])
        self._forget("sidecar")
        self._note(processes.Process(name="sidecar", pid=process.pid, started=process.started, url=url))
        return url

    def _note(self, process: Process) -> None:
        processes.save(self.layout.processes, [*processes.load(self.layout.processes), process])

    def _forget(self, name: str) -> None:
        noted = processes.load(self.layout.processes)
        processes.save(self.layout.processes, [one for one in noted if one.name != name])

    def _gateway(self) -> dict[str, Any] | None:
        try:
            return {"url": self.storage.gateway_url, "alive": "gateway" in self.storage.pids}
        except CaregridError:
            return None

    def identity(self, name: str) -> Identity:
        """Return the keys of a role, for tests."""
        return Identity.load(self.layout.identity(name), self.layout.passphrase.read_text())


async def _wait_for_chain(process: Process, layout: DevnetLayout) -> None:
    deadline = asyncio.get_running_loop().time() + CHAIN_START_TIMEOUT_S
    while process.alive and asyncio.get_running_loop().time() < deadline:
        reader = SubstrateChain([process.url])
        try:
            await reader.finalized_head()
        except ChainUnreachable:
            await asyncio.sleep(_POLL_INTERVAL_S)
        else:
            return
        finally:
            await reader.close()
    raise ChainUnreachable(f"the chain did not start; {layout.logs}/chain.log says why")


def _describe(process: Process | None) -> dict[str, Any] | None:
    return None if process is None else {"url": process.url, "pid": process.pid, "alive": process.alive}
