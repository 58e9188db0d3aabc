"""Real nodes in processes of their own, on loopback, for tests that watch them from outside and kill them."""

from __future__ import annotations

import http.client
import ipaddress
import itertools
import json
import os
import random
import signal
import subprocess
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import base58
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caregrid.errors import PortTaken
from ocw_sidecar.devnet import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address

    from ocw_sidecar.devnet.processes import Process

VALIDATORS: Final = ("alice", "bob", "charlie", "dave")
#: A node compiles the runtime before it listens: 3 s on a free core, far more with four on two busy ones.
START_TIMEOUT_S: Final = 90.0
#: The kernel ends a killed process at once, unless its disk hangs.
KILL_TIMEOUT_S: Final = 10.0
#: A node answers within milliseconds; a starved one later.
REQUEST_TIMEOUT_S: Final = 20.0

_POLL_INTERVAL_S: Final = 0.2
_LOG_LIMIT: Final = 20_000
# Below the ports that the kernel gives to outgoing connections: a node binds seconds after its port was
# chosen, and a killed one again much later, and no client may have got the port by then.
_PORTS: Final = range(20_000, 32_000)
# Stands before an Ed25519 key in a libp2p peer id: identity multihash, 36 bytes, a protobuf of type and key.
_PEER_ID_PREFIX: Final = bytes.fromhex("002408011220")
_LISTEN: Final = "0A"


@dataclass(kw_only=True)
class Node:
    """One node, to be started, killed and started again with the same ports and folder."""

    name: str
    program: Path
    folder: Path  #: holds its log
    options: Sequence[str]
    rpc_port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    process: Process | None = None

    @property
    def pid(self) -> int:
        """The process id of a started node."""
        assert self.process is not None, f"{self.name} was not started"
        return self.process.pid

    @property
    def log(self) -> str:
        """The end of what it reported, over all its starts."""
        return self._log_file.read_text(errors="replace")[-_LOG_LIMIT:] if self._log_file.exists() else ""

    def start(self) -> None:
        """Start it; `wait_ready` tells when it serves."""
        command = [
            str(self.program),
            f"--rpc-port={self.rpc_port}",
            "--no-mdns",
            "--no-telemetry",
            *self.options,
        ]
        url = f"http://127.0.0.1:{self.rpc_port}"
        self.process = processes.start(
            self.name, command, log=self._log_file, url=url, environment=self.environment
        )

    def wait_ready(self) -> None:
        """Wait until its RPC listens; this very process's, not another's that came by the port."""
        poll(lambda: self._serves() or not self._alive, START_TIMEOUT_S)
        assert self._serves(), f"{self.name} did not start:\n{self.log}"

    def kill(self) -> None:
        """Kill it without warning."""
        # Its pid may be another's once it has ended.
        assert self._alive, f"{self.name} had ended by itself"
        os.kill(self.pid, signal.SIGKILL)
        assert poll(lambda: not self._alive, KILL_TIMEOUT_S)
        processes.collect()

    def stop(self) -> None:
        """Stop it in good order, if it runs."""
        if self.process is not None:
            self.process.stop()
        processes.collect()

    def listens_on(self) -> set[tuple[IPv4Address | IPv6Address, int]]:
        """Return the addresses and TCP ports on which its process listens."""
        own = _sockets(self.pid)
        tables = [Path(f"/proc/{self.pid}/net/{name}") for name in ("tcp", "tcp6")]
        rows = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
        return {_address(row[1]) for row in rows if row[3] == _LISTEN and row[9] in own}

    def rpc(self, method: str, *params: object) -> Any:
        """Call a JSON-RPC method and return its result."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = json.loads(http_exchange(self.rpc_port, "POST", "/", json.dumps(request)))
        assert "error" not in answer, (self.name, method, answer)
        return answer["result"]

    def best(self) -> int:
        """Return the number of its best block."""
        return int(self.rpc("chain_getHeader")["number"], 16)

    def final(self) -> int:
        """Return the number of its last final block."""
        return int(self.rpc("chain_getHeader", self.rpc("chain_getFinalizedHead"))["number"], 16)

    def hashes(self, last: int) -> dict[int, str | None]:
        """Return the hashes of its best chain from genesis to a number; None where it has no block."""
        numbers = list(range(last + 1))
        return dict(zip(numbers, self.rpc("chain_getBlockHash", numbers), strict=True))

    @property
    def _log_file(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def _alive(self) -> bool:
        return self.process is not None and self.process.alive

    def _serves(self) -> bool:
        # /proc refuses to speak of a process that has ended, even while we look at it.
        with suppress(OSError):
            return any(port == self.rpc_port for _, port in self.listens_on())
        return False


def validators(program: Path, folder: Path) -> list[Node]:
    """Return the four validators of the local chain, not started yet; each knows the three others."""
    spec = _export_spec(program, folder)
    ports = free_ports(2 * len(VALIDATORS))
    places = [
        (name, bytes([number]) * 32, f"/ip4/127.0.0.1/tcp/{ports.pop()}")
        for number, name in enumerate(VALIDATORS, start=1)
    ]
    peers = {name: f"{address}/p2p/{_peer_id(key)}" for name, key, address in places}
    return [
        Node(
            name=name,
            program=program,
            folder=folder,
            rpc_port=ports.pop(),
            options=[
                f"--chain={spec}",
                f"--{name}",
                f"--base-path={folder / name}",
                f"--node-key={key.hex()}",
                f"--listen-addr={address}",
                "--no-prometheus",
                *(f"--bootnodes={peer}" for other, peer in peers.items() if other != name),
            ],
        )
        for name, key, address in places
    ]


def start_all(nodes: Iterable[Node]) -> None:
    """Start nodes at the same time and wait until all of them serve."""
    started = list(nodes)
    for node in started:
        node.start()
    for node in started:
        node.wait_ready()


def poll(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until a condition holds, asking a few times a second, and tell whether it came to that."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_INTERVAL_S)
    return True


def free_ports(count: int) -> list[int]:
    """Return distinct loopback ports that are free now and that no outgoing connection will be given."""
    candidates = random.sample(_PORTS, len(_PORTS))
    return list(itertools.islice(filter(_is_free, candidates), count))


def http_exchange(port: int, method: str, path: str, body: str | None = None) -> str:
    """Send one HTTP request to a loopback port and return the answer's body."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_TIMEOUT_S)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read().decode()
    assert 200 == response.status, answer
    return answer


def _export_spec(program: Path, folder: Path) -> Path:
    """Write the raw spec of the local chain; by name, each start would build genesis anew, for seconds."""
    spec = folder / "local.raw.json"
    command = [str(program), "export-chain-spec", "--chain=local", "--raw"]
    with spec.open("wb") as output:
        subprocess.run(command, stdout=output, check=True, timeout=START_TIMEOUT_S)
    return spec


def _is_free(port: int) -> bool:
    try:
        processes.require_free(port)
    except PortTaken:
        return False
    return True


def _peer_id(node_key: bytes) -> str:
    public = Ed25519PrivateKey.from_private_bytes(node_key).public_key().public_bytes_raw()
    return base58.b58encode(_PEER_ID_PREFIX + public).decode()


def _sockets(pid: int) -> set[str]:
    """Return the inodes of a process's sockets, as /proc/net/tcp writes them."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        # Descriptors come and go while we read.
        with suppress(FileNotFoundError):
            kind, _, inode = str(descriptor.readlink()).partition(":")
            if kind == "socket":
                found.add(inode.strip("[]"))
    return found


def _address(column: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Read an address of /proc/net/tcp: words of four bytes in the machine's order, then the port."""
    words, _, port = column.partition(":")
    raw = bytes.fromhex(words)
    network_order = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return ipaddress.ip_address(network_order), int(port, 16)
