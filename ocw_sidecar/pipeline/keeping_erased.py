"""Before anything is served: what a backup has brought back stays erased."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import Recoverable
from ocw_sidecar.pipeline.erasing import SWEEP_TIMEOUT_S

if TYPE_CHECKING:
    from ocw_sidecar.pipeline.erasing import Eraser

#: So many blocks may have passed since the last one that was taken in, until every key is looked up.
SWEEP_BEHIND: Final = 600
#: One question for the head.
HEAD_TIMEOUT_S: Final = 10.0

log = structlog.get_logger()


async def keep_erased(eraser: Eraser, *, cursor: int | None) -> bool:
    """Destroy keys of erased records that are here again; return whether every key was looked up.

    The list in the home folder is gone through each time. The chain is asked for all keys where the database
    may be an old one: the list is missing, or named what the database did not know, or the chain was not
    followed for long. A chain that does not answer does not keep the sidecar from starting: each release
    of a key asks it anyway.

    Args:
        eraser: what destroys.
        cursor: the last block that was taken in; None where none was.
    """
    missing = not eraser.listed.is_there()
    replayed = await eraser.replay()
    try:
        async with asyncio.timeout(SWEEP_TIMEOUT_S):
            if not missing and not replayed and not await _is_behind(eraser, cursor):
                return False
            await eraser.sweep()
        await asyncio.to_thread(eraser.listed.begin)
    except (TimeoutError, Recoverable) as exc:
        log.warning("erasures_not_looked_up", reason=getattr(exc, "code", "TIMEOUT"))
        return False
    return True


async def _is_behind(eraser: Eraser, cursor: int | None) -> bool:
    async with asyncio.timeout(HEAD_TIMEOUT_S):
        head = await eraser.bench.ports.chain.finalized_head()
    return cursor is None or head.number - cursor > SWEEP_BEHIND
