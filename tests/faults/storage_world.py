"""What fault tests of the storage network share."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import sr25519
from scalecodec.utils.ss58 import ss58_encode

from caregrid.storage import DeossStore
from storage_network import LocalNetwork
from storage_network.launch import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

MIB = 1024 * 1024
PAIR = sr25519.pair_from_seed(b"\x01" * 32)
#: A busy machine is slow; nothing here takes long on a free one.
PATIENCE_S = 60.0


def content_of(seed: int, size: int) -> bytes:
    """Return bytes that no other seed gives."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - no secret


def identity() -> dict[str, str]:
    """Return the headers of a signed request."""
    message = str(int(time.time()) + 60)
    signature = sr25519.sign(PAIR, message.encode()).hex()
    return {"Account": ss58_encode(PAIR[0], 11330), "Message": message, "Signature": signature}


@contextmanager
def running(root: Path, **options: Any) -> Iterator[LocalNetwork]:
    """Run a network for one test."""
    with LocalNetwork(root, **options) as network:
        yield network


@asynccontextmanager
async def client(network: LocalNetwork) -> AsyncIterator[DeossStore]:
    """Open a client of a network."""
    store = DeossStore(network.gateway_url, PAIR[0], lambda message: sr25519.sign(PAIR, message))
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def gateway(network: LocalNetwork) -> AsyncIterator[aiohttp.ClientSession]:
    """Open plain HTTP to a network's gateway."""
    async with aiohttp.ClientSession(network.gateway_url) as session:
        yield session


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what changes is on a disk
            await asyncio.sleep(0.005)


async def until_counted(session: aiohttp.ClientSession, name: str) -> None:
    """Wait until one of the gateway's figures is above 0."""
    async with asyncio.timeout(PATIENCE_S):
        while not await metric(session, name):  # noqa: ASYNC110 - another process counts
            await asyncio.sleep(0.1)


async def metric(session: aiohttp.ClientSession, name: str) -> float:
    """Return one figure of the gateway's."""
    async with session.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def fragments_on(network: LocalNetwork, number: int) -> set[str]:
    """Return the names of the fragments on one node's disk."""
    return {path.name for path in (network.node_folder(number) / "fragments").iterdir()}


@contextmanager
def in_its_place(program: Path, url: str) -> Iterator[None]:
    """Run a program on the port of a node that is dead."""
    port = int(url.rpartition(":")[2])
    process = subprocess.Popen([sys.executable, str(program), str(port)])
    try:
        assert wait_until(lambda: _listens(port), PATIENCE_S)
        yield
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
