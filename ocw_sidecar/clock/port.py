"""How far the sidecar has followed the chain, durably."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from caregrid.chain.port import BlockRef, FinalizedBlock


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """The last block that was taken in."""

    genesis: bytes  #: which chain: the hash of its block 0
    block: BlockRef
    moved_at: datetime


class BlockLog(ABC):
    """The cursor and what hangs on it. Every method is one transaction."""

    async def cursor(self) -> int | None:
        """Return the number of the last block that was taken in; None before the first start."""
        position = await self.position()
        return None if position is None else position.block.number

    @abstractmethod
    async def position(self) -> Position | None:
        """Return the last block that was taken in, and of which chain; None before the first start."""

    @abstractmethod
    async def begin(self, block: BlockRef, genesis: bytes) -> bool:
        """Count everything up to a block as taken in; False when somebody else has begun already."""

    @abstractmethod
    async def advance(self, block: FinalizedBlock) -> bool:
        """Take in the block behind the cursor: move the cursor and apply every fold, or neither.

        Return False, and change nothing, when the cursor does not stand right before the block: somebody else
        has taken it in already.
        """

    @abstractmethod
    async def forget(self) -> None:
        """Drop the cursor, what jobs were done for, and all that was folded from the blocks."""

    @abstractmethod
    async def done_heights(self) -> Mapping[str, int]:
        """Return for which block each block-driven job was last done."""

    @abstractmethod
    async def note_done(self, job: str, height: int) -> None:
        """Note that a job was done for a block; an earlier block than the last changes nothing."""
