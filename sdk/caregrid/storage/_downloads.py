from __future__ import annotations

import asyncio
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

from caregrid.errors import RateLimited, StorageUnreachable
from caregrid.storage._partial import open_arrivals
from caregrid.storage._patience import Patience
from caregrid.storage.progress import ProgressMeter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from pathlib import Path

    from caregrid.storage._partial import Arrivals
    from caregrid.storage.progress import Progress
    from caregrid.storage.transfers import TransferPolicy


async def download(
    fetch: Callable[[int], AsyncGenerator[bytes]],
    object_id: bytes,
    size: int,
    target: Path,
    *,
    policy: TransferPolicy,
    progress: Progress | None,
    resume: bool,
) -> int:
    """Write an object of this size to a file; `fetch` yields its bytes from an offset to its end."""
    arrivals = open_arrivals(object_id, target, resume=resume)
    with _closing(arrivals):
        await asyncio.to_thread(arrivals.recover)
        async with ProgressMeter(progress, size) as meter:
            await meter.reach(arrivals.size)
            await _fill(fetch, arrivals, size, Patience(policy), meter)
            await asyncio.to_thread(arrivals.publish)
    return size


@contextmanager
def _closing(arrivals: Arrivals) -> Iterator[None]:
    try:
        yield
    finally:
        arrivals.close()


async def _fill(
    fetch: Callable[[int], AsyncGenerator[bytes]],
    arrivals: Arrivals,
    size: int,
    patience: Patience,
    meter: ProgressMeter,
) -> None:
    while arrivals.size < size:
        before = arrivals.size
        try:
            async with aclosing(fetch(before)) as chunks:
                async for chunk in chunks:
                    await asyncio.to_thread(arrivals.write, chunk)
                    await meter.reach(arrivals.size)
        except (RateLimited, StorageUnreachable) as exc:
            if arrivals.size > before:
                patience.renew()
            await patience.wait_after(exc)
