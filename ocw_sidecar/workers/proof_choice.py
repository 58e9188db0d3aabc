"""Which objects are asked for proofs in a run: open rounds, those unasked for longest, and the riskiest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocw_sidecar.ledger.proofs import ProofBook, ProvedObject

#: Objects of one run, however many the period asks for.
MAX_OBJECTS: Final = 1_024


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How many objects one run asks."""

    total: int  #: open rounds come on top, as many again at most
    by_age: int  #: of these; the others by their risk


def share_of(objects: int, *, budget: int, every: int, period: int) -> Share:
    """Return what a run has to ask so that each object has its turn within a period.

    Args:
        objects: how many there are.
        budget: objects that a run may ask; more where the period needs it, up to `MAX_OBJECTS`.
        every: blocks from one run to the next.
        period: blocks in which every object is asked.
    """
    # One run less than fit into the period: an object stored right after a run waits for the next.
    runs = max(1, period // every - 1)
    needed = -(-objects // runs)
    total = min(MAX_OBJECTS, max(1, budget, needed))
    return Share(total=total, by_age=min(total, max(needed, -(-total // 2))))


async def choose(book: ProofBook, share: Share, height: int) -> list[ProvedObject]:
    """Return distinct objects to ask as of a block, open rounds first."""
    chosen = _distinct({}, await book.open_rounds(share.total), share.total)
    opened = len(chosen)
    oldest = await book.oldest_rounds(height, share.by_age + opened)
    chosen = _distinct(chosen, oldest, opened + share.by_age)
    riskiest = await book.riskiest_rounds(height, share.total + opened)
    return list(_distinct(chosen, riskiest, opened + share.total).values())


def _distinct(
    chosen: dict[bytes, ProvedObject], more: Iterable[ProvedObject], limit: int
) -> dict[bytes, ProvedObject]:
    for each in more:
        if len(chosen) < limit:
            chosen.setdefault(each.object_id, each)
    return chosen
