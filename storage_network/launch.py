"""Starting and stopping a local network from a program; the network outlives that program if it wants."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

from caregrid.errors import ConfigInvalid, PortTaken, StorageUnreachable
from storage_network import files
from storage_network.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

#: Thirteen processes are up within two seconds on two free cores; a busy machine takes longer.
START_TIMEOUT_S: Final = 60.0
#: A process that is asked to stop finishes its requests within 5 seconds; past this it is killed.
STOP_TIMEOUT_S: Final = 15.0
#: The kernel ends a killed process at once, unless its disk hangs.
KILL_TIMEOUT_S: Final = 5.0

_POLL_INTERVAL_S: Final = 0.01
_DEFAULT_NODES: Final = 12


class LocalNetwork:
    """A gateway and storage nodes below one folder, each its own process.

    Methods block. The object keeps nothing that is not in the folder, so another program can stop what this
    one has started: `LocalNetwork(root).stop()`.
    """

    def __init__(
        self,
        root: Path,
        *,
        nodes: int = _DEFAULT_NODES,
        port: int = 0,
        gateway_options: Sequence[str] = (),
        node_options: Sequence[str] = (),
    ) -> None:
        self._layout = Layout(root)
        self._nodes, self._port = nodes, port
        self._gateway_options, self._node_options = gateway_options, node_options
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether any process of the network lives."""
        return any(files.owner_of(folder) is not None for folder in self._folders())

    @property
    def pids(self) -> dict[str, int]:
        """The ids of the living processes by name: `gateway`, `node-00`, ..."""
        owners = {folder.name: files.owner_of(folder) for folder in self._members()}
        return {name: pid for name, pid in owners.items() if pid is not None}

    @property
    def gateway_url(self) -> str:
        """Where the gateway serves."""
        return str(_read_json(self._layout.ready_file(self._layout.gateway))["url"])

    @property
    def node_urls(self) -> list[str]:
        """Where the nodes serve, by number; each needs the shared token."""
        return [str(entry["url"]) for entry in _read_json(self._layout.nodes_file)]

    @property
    def log(self) -> Path:
        """The file that takes what all processes report."""
        return self._layout.log

    def node_folder(self, number: int) -> Path:
        """Return the folder in which one node keeps its fragments."""
        return self._layout.node(number)

    def start(self) -> None:
        """Start every process, detached from this one, and wait until the gateway serves.

        Raises:
            ConfigInvalid: the network runs already.
            PortTaken: another process listens on the gateway's port.
            StorageUnreachable: it did not start within its deadline; the log says why.
        """
        if self.running:
            raise ConfigInvalid("this storage network runs already; stop it first")
        self._layout.root.mkdir(parents=True, exist_ok=True)
        for folder in self._members():
            self._layout.ready_file(folder).unlink(missing_ok=True)
        arguments = [
            f"--root={self._layout.root}",
            f"--nodes={self._nodes}",
            f"--port={self._port}",
            *(f"--gateway-option={option}" for option in self._gateway_options),
            *(f"--node-option={option}" for option in self._node_options),
        ]
        self._launch("storage_network", arguments, self._layout.gateway)

    def stop(self) -> None:
        """Stop every process of the network, whoever started it; one that does not stop in time is killed."""
        pids = list(self.pids.values())
        for pid in pids:
            _signal(pid, signal.SIGTERM)
        if not wait_until(lambda: not self.running, STOP_TIMEOUT_S):
            for pid in self.pids.values():
                _signal(pid, signal.SIGKILL)
            wait_until(lambda: not self.running, KILL_TIMEOUT_S)
        for process in self._started:
            process.wait(KILL_TIMEOUT_S)
        self._started.clear()

    def kill_node(self, number: int) -> None:
        """Kill one node without warning, as a power cut would."""
        self._kill(self._layout.node(number))

    def restart_node(self, number: int) -> None:
        """Start a killed node again, on its old port and disk."""
        port = int(self.node_urls[number].rpartition(":")[2])
        folder = self._layout.node(number)
        self._layout.ready_file(folder).unlink(missing_ok=True)
        arguments = [*self._layout.node_arguments(number, port), *self._node_options]
        self._launch("storage_network.node", arguments, folder)

    def kill_gateway(self) -> None:
        """Kill the gateway without warning."""
        self._kill(self._layout.gateway)

    def restart_gateway(self) -> None:
        """Start a killed gateway again, on its old port."""
        port = int(self.gateway_url.rpartition(":")[2])
        self._layout.ready_file(self._layout.gateway).unlink(missing_ok=True)
        arguments = [*self._layout.gateway_arguments(port), *self._gateway_options]
        self._launch("storage_network.gateway", arguments, self._layout.gateway)

    def _members(self) -> list[Path]:
        return [self._layout.gateway, *sorted(self._layout.root.glob("node-*"))]

    def _folders(self) -> list[Path]:
        return [self._layout.root, *self._members()]

    def _launch(self, module: str, arguments: Sequence[str], folder: Path) -> None:
        with self._layout.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(process)
        ready = self._layout.ready_file(folder)
        wait_until(lambda: ready.exists() or process.poll() is not None, START_TIMEOUT_S)
        if not ready.exists():
            self._fail(process)

    def _fail(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        if process.wait(STOP_TIMEOUT_S) == PortTaken.exit_code:
            raise PortTaken
        raise StorageUnreachable(f"the storage network did not start; {self._layout.log} says why")

    def _kill(self, folder: Path) -> None:
        pid = files.owner_of(folder)
        if pid is not None:
            _signal(pid, signal.SIGKILL)
            wait_until(lambda: files.owner_of(folder) is None, KILL_TIMEOUT_S)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as exc:
        raise StorageUnreachable("the storage network is not running; start it first") from exc


def _signal(pid: int, signum: signal.Signals) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until a condition holds and tell whether it came to that."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_INTERVAL_S)
    return True
