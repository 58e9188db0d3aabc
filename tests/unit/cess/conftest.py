"""CESS nodes of another process, and the values that they serve."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.cess import CessChain
from tests.unit.cess.encoding import hexed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

#: Well known: the key of `Timestamp.Now`.
TIME_KEY = "0xf0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb"
HEAD = 7_000


def block_hash(number: int, branch: int = 0) -> str:
    """Return the hash that a block of this number has here."""
    return hexed(bytes([branch]) + number.to_bytes(31, "big"))


@dataclass(kw_only=True)
class Node:
    """What one node is like; `tell` makes it so."""

    control: str
    address: str
    head: int = HEAD
    branch: int = 0
    genesis: str = block_hash(0)
    version: dict[str, Any] = field(default_factory=lambda: {"specName": "cess-node", "specVersion": 133})
    health: dict[str, Any] = field(
        default_factory=lambda: {"peers": 3, "isSyncing": False, "shouldHavePeers": True}
    )
    age_s: float = 20.0
    state: dict[bytes, bytes] = field(default_factory=dict)
    faults: dict[str, Any] = field(default_factory=dict)

    @property
    def ws(self) -> str:
        """Its WebSocket URL."""
        return f"ws://{self.address}"

    @property
    def http(self) -> str:
        """Its HTTP URL."""
        return f"http://{self.address}"

    def tell(self) -> Node:
        """Make the process serve it like this."""
        moment = int((time.time() - self.age_s) * 1000).to_bytes(8, "little")
        numbers = range(self.head - 100, self.head + 1)
        _put(
            self.control,
            {
                "head": self.head,
                "blocks": {"0": self.genesis}
                | {str(each): block_hash(each, self.branch) for each in numbers},
                "version": self.version,
                "health": self.health,
                "faults": self.faults,
                "state": {TIME_KEY: hexed(moment)}
                | {hexed(key): hexed(value) for key, value in self.state.items()},
            },
        )
        return self

    def asked(self) -> list[tuple[str, list[Any]]]:
        """Return what it was asked since `tell`."""
        with urllib.request.urlopen(self.control) as answer:  # noqa: S310 - our own process
            return [(method, params) for method, params in json.load(answer)]


def _put(url: str, told: dict[str, Any]) -> None:
    request = urllib.request.Request(url, data=json.dumps(told).encode(), method="PUT")  # noqa: S310 - likewise
    urllib.request.urlopen(request).close()  # noqa: S310 - likewise


@contextmanager
def serving() -> Iterator[str]:
    """Run a process that serves nodes; yields host and port."""
    program = [sys.executable, str(Path(__file__).with_name("node_process.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        yield f"127.0.0.1:{int(running.stdout.readline())}"
        running.stdin.close()


def node_of(process: str, name: str, **options: Any) -> Node:
    """Return a node of a process, and have it serve."""
    return Node(control=f"http://{process}/nodes/{name}", address=f"{process}/{name}", **options).tell()


@pytest.fixture(scope="module")
def process() -> Iterator[str]:
    """A process that serves nodes; yields host and port."""
    with serving() as running:
        yield running


@pytest.fixture
def make_node(process: str) -> Callable[..., Node]:
    """Makes nodes."""
    numbers = count()

    def make(**options: Any) -> Node:
        return node_of(process, f"node{next(numbers)}", **options)

    return make


@pytest.fixture
async def reading() -> AsyncIterator[Callable[..., CessChain]]:
    """Makes readers of given URLs, and closes them."""
    made: list[CessChain] = []

    def read(*urls: str, **options: Any) -> CessChain:
        made.append(CessChain(urls, **options))
        return made[-1]

    yield read
    for each in made:
        await each.close()
