"""Walks through what a chain gives piece by piece: pages, and finalized blocks up to a height."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Sequence

    from caregrid.chain.port import Chain, FinalizedBlock

T_co = TypeVar("T_co", covariant=True)


class Page(Protocol[T_co]):
    """Some items, and what the next page is asked for with."""

    @property
    def items(self) -> Sequence[T_co]:
        """What is in it, perhaps nothing."""

    @property
    def next(self) -> bytes | None:
        """`after` of the next page; None at the end."""


class PageReader(Protocol[T_co]):
    """Reads one page."""

    def __call__(self, *, after: bytes | None) -> Awaitable[Page[T_co]]:
        """Return the page behind a place; the first one for None."""


async def paged(read: PageReader[T_co]) -> AsyncGenerator[T_co]:
    """Yield the items of all pages, in order."""
    after = None
    while True:
        page = await read(after=after)
        for item in page.items:
            yield item
        after = page.next
        if after is None:
            return


async def blocks_until(chain: Chain, start: int, end: int) -> AsyncGenerator[FinalizedBlock]:
    """Yield finalized blocks from number `start` up to and with `end`, which is waited for."""
    followed = cast("AsyncGenerator[FinalizedBlock]", chain.finalized_blocks(start))
    async with aclosing(followed) as blocks:
        async for block in blocks:
            yield block
            if block.ref.number >= end:
                return
