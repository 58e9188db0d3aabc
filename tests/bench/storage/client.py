"""`python -m tests.bench.storage.client URL put|get …`: one transfer in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sr25519

from caregrid.storage import DeossStore
from tests.bench.processes import peak_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Of an account that exists nowhere else.
_PAIR: Final = sr25519.pair_from_seed(b"\x0b" * 32)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[DeossStore]:
    """A client of a gateway."""
    store = DeossStore(url, _PAIR[0], lambda message: sr25519.sign(_PAIR, message))
    try:
        yield store
    finally:
        await store.close()


async def transfer(url: str, verb: str, arguments: list[str]) -> dict[str, object]:
    """Put a file, or get an object into a file; return its id, the seconds and the peak of memory."""
    begun = time.perf_counter()
    async with connected(url) as store:
        if verb == "put":
            object_id = await store.put(Path(arguments[0]))
        else:
            object_id = bytes.fromhex(arguments[0])
            await store.download(object_id, Path(arguments[1]))
    seconds = time.perf_counter() - begun
    return {"object": object_id.hex(), "seconds": seconds, "peak": peak_of(os.getpid())}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(transfer(sys.argv[1], sys.argv[2], sys.argv[3:]))))  # noqa: T201 - a program
