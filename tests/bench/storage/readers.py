"""Ten readers at once, each reading a megabyte again and again from packs."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.errors import CaregridError
from tests.bench.storage.client import connected

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

READERS: Final = 10
LENGTH: Final = 1_000_000
_OBJECTS: Final = 8
_OBJECT_SIZE: Final = 32 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """How long reads took, and how many of them came to an end."""

    seconds: Sequence[float]
    failed: int

    @property
    def success(self) -> float:
        """The part of all reads that succeeded."""
        return len(self.seconds) / (len(self.seconds) + self.failed)

    def percentile(self, part: float) -> float:
        """Return the seconds that so large a part of all reads stays below."""
        return statistics.quantiles(self.seconds, n=1000, method="inclusive")[round(part * 1000) - 1]


async def store_packs(url: str, folder: Path) -> list[tuple[bytes, bytes]]:
    """Store some packs; return the id and the content of each."""
    stored = []
    async with connected(url) as store:
        for _ in range(_OBJECTS):
            content = os.urandom(_OBJECT_SIZE)
            (folder / "pack").write_bytes(content)
            stored.append((await store.put(folder / "pack"), content))
    return stored


async def read_all(url: str, packs: Sequence[tuple[bytes, bytes]], reads: int) -> Readings:
    """Read random places of random packs, so many by each reader."""
    chance = random.Random(3)  # noqa: S311 - the same places in every run
    seconds: list[float] = []
    failed = 0

    async def reader() -> None:
        nonlocal failed
        async with connected(url) as store:
            for _ in range(reads):
                object_id, content = chance.choice(packs)
                offset = chance.randrange(_OBJECT_SIZE - LENGTH)
                begun = time.perf_counter()
                try:
                    found = await store.read_range(object_id, offset, LENGTH)
                except CaregridError:
                    failed += 1
                    continue
                seconds.append(time.perf_counter() - begun)
                failed += found != content[offset : offset + LENGTH]

    async with asyncio.TaskGroup() as group:
        for _ in range(READERS):
            group.create_task(reader())
    return Readings(seconds=seconds, failed=failed)
