"""Objects of several sizes: there and back, beside a plain file server on the same machine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp

from tests.bench.storage.client import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

MIB: Final = 1 << 20
SIZES: Final = (1 * MIB, 32 * MIB, 100 * MIB)
_CHUNK: Final = MIB


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """Seconds for one object, the median of several."""

    put: float
    get: float


async def through_gateway(url: str, folder: Path, size: int, rounds: int) -> Times:
    """Store and read back objects, each another one."""
    puts, gets = [], []
    source, target = folder / "source", folder / "target"
    async with connected(url) as store:
        for _ in range(rounds):
            source.write_bytes(os.urandom(size))
            begun = time.perf_counter()
            object_id = await store.put(source)
            puts.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await store.download(object_id, target)
            gets.append(time.perf_counter() - begun)
            assert source.read_bytes() == target.read_bytes()
    return Times(put=statistics.median(puts), get=statistics.median(gets))


async def through_file_server(url: str, folder: Path, size: int, rounds: int) -> Times:
    """The same with a server that knows neither fragments nor hashes."""
    puts, gets = [], []
    source, target = folder / "source", folder / "target"
    async with aiohttp.ClientSession(read_bufsize=_CHUNK) as session:
        for number in range(rounds):
            source.write_bytes(os.urandom(size))
            begun = time.perf_counter()
            async with session.put(f"{url}/{size}-{number}", data=_pieces(source)) as answer:
                answer.raise_for_status()
            puts.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await _fetch(session, f"{url}/{size}-{number}", target)
            gets.append(time.perf_counter() - begun)
            assert source.read_bytes() == target.read_bytes()
    return Times(put=statistics.median(puts), get=statistics.median(gets))


@contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """A plain file server in its own process; its URL."""
    folder.mkdir()
    command = [sys.executable, "-m", "tests.bench.storage.file_server", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


async def _pieces(source: Path) -> AsyncIterator[bytes]:
    with source.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece


async def _fetch(session: aiohttp.ClientSession, url: str, target: Path) -> None:
    async with session.get(url) as answer:
        answer.raise_for_status()
        with target.open("wb") as file:
            async for chunk in answer.content.iter_chunked(_CHUNK):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
