"""Which objects are looked at: those in trouble, those unlooked at for longest, and some by chance."""

from __future__ import annotations

import secrets
from random import SystemRandom
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.ledger.items import KnownObject
    from ocw_sidecar.ledger.port import Ledger
    from ocw_sidecar.ledger.storage import StorageBook

#: Candidates drawn for each object that is chosen by its age.
DRAWS: Final = 4

_random: Final = SystemRandom()


async def choose(ledger: Ledger, book: StorageBook, *, size: int, height: int) -> list[bytes]:
    """Return up to `size` distinct objects to look at as of a block.

    At most half are in trouble. Of the others one half have been unlooked at for longest, so that each gets
    its turn, and one half are drawn with their ages as weights, so that nobody knows which come next.
    """
    chosen = [each.object_id for each in await book.longest_troubled(size // 2)]
    left = size - len(chosen)
    # A troubled object may be among those unlooked at for longest; then others take its place.
    longest = [each.object_id for each in await ledger.longest_unlooked((left + 1) // 2 + len(chosen))]
    fresh = [each for each in longest if each not in chosen]
    chosen += fresh[: (left + 1) // 2]
    drawn = await _drawn(ledger, chosen, count=size - len(chosen), height=height)
    return [*chosen, *drawn]


async def _drawn(ledger: Ledger, chosen: Sequence[bytes], *, count: int, height: int) -> list[bytes]:
    pivots = [secrets.token_bytes(32) for _ in range(DRAWS * count)]
    near = {each.object_id: each for each in await ledger.objects_near(pivots)}
    others = [each for object_id, each in near.items() if object_id not in chosen]
    picked = weighted_sample(others, [height - each.looked_at for each in others], count)
    return [each.object_id for each in picked]


def weighted_sample(items: Sequence[KnownObject], weights: Sequence[int], count: int) -> list[KnownObject]:
    """Return up to `count` distinct items, drawn by weight (Efraimidis and Spirakis, 2006)."""
    keyed = [(_random.random() ** (1.0 / max(1, weight)), number) for number, weight in enumerate(weights)]
    best = sorted(keyed, reverse=True)[: max(0, count)]
    return [items[number] for _, number in best]
