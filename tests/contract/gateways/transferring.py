"""A process of its own that stores a large file and reads it back, and says how much memory that took."""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from caregrid.storage import TransferPolicy
from tests.contract.gateways.clients import client

#: Large enough to be resumed, small enough to be many.
CHUNK = 8 * 1024 * 1024


async def main(url: str, folder: Path) -> None:
    """Store a small file, then the large one; print the growth of the largest resident set in bytes."""
    store = client(url, TransferPolicy(chunk_size=CHUNK))
    await store.download(await store.put(folder / "small"), folder / "back")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    object_id = await store.put(folder / "large")
    await store.download(object_id, folder / "back")
    await store.download(object_id, folder / "resumed", resume=True)
    sys.stdout.write(str((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024))
    await store.close()


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
