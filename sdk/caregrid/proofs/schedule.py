"""When an object may be challenged: in rounds whose heights follow from the chain alone, not from who asks.

A round is a height that `ROUND_BLOCKS` divides. Its challenges are made of the `MIXED_BLOCKS` blocks that end
with it, all of them after the block in which the tags were committed to. So nobody who asks, owner or
auditor, can try one height after another until he likes what is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log1p
from typing import Final, Self

from caregrid.errors import ChallengeEarly, ChallengeMismatch, InputInvalid
from caregrid.proofs.podr2.challenges import MIXED_BLOCKS
from caregrid.proofs.podr2.detection import DEFAULT_COUNT, blocks_needed, detection
from caregrid.proofs.podr2.scheme import BLOCKS

#: Blocks from one round to the next.
ROUND_BLOCKS: Final = 10
#: Fragments asked for in a round unless it is said otherwise: as many as a segment has.
DEFAULT_FRAGMENTS: Final = 12
#: A bundle holds no more answers than this.
MAX_FRAGMENTS: Final = 256

#: Ten of 1,024 blocks: what a challenge has to find unless it is said otherwise.
_DAMAGED: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """How much is asked for. Who asks and who verifies agree on it beforehand: it is part of the challenge.

    Raises:
        InputInvalid: a number is out of its range.
    """

    blocks: int = DEFAULT_COUNT  #: of a fragment, 1 to 1,024
    fragments: int = DEFAULT_FRAGMENTS  #: of an object, 1 to 256; all where it has fewer

    def __post_init__(self) -> None:
        if not 1 <= self.blocks <= BLOCKS or not 1 <= self.fragments <= MAX_FRAGMENTS:
            raise InputInvalid(f"ask for 1 to {BLOCKS} blocks of 1 to {MAX_FRAGMENTS} fragments")

    @classmethod
    def detecting(
        cls, probability: float, *, damaged: int = _DAMAGED, fragments: int = DEFAULT_FRAGMENTS
    ) -> Self:
        """Return the terms that find so many damaged blocks of a fragment with at least this probability.

        Raises:
            InputInvalid: the probability is not above 0 and below 1, or a number is out of its range.
        """
        return cls(blocks=blocks_needed(damaged, probability), fragments=fragments)


def rounds_needed(terms: Terms, fragments: int, damaged: int, probability: float) -> int:
    """Return how many rounds find damage to one fragment of an object with at least this probability.

    Args:
        terms: what each round asks for.
        fragments: how many the object has; a round draws from them anew.
        damaged: blocks of the fragment that are lost or wrong; all, where it is gone.
        probability: above 0 and below 1.

    Raises:
        InputInvalid: a number is out of its range.
    """
    if fragments < 1 or not 0 < probability < 1 or not damaged:
        raise InputInvalid("give a fragment, a damaged block and a probability between 0 and 1")
    found = min(1.0, terms.fragments / fragments) * detection(damaged, terms.blocks)
    return 1 if found >= probability else ceil(log1p(-probability) / log1p(-found))


def is_round(height: int, committed_at: int) -> bool:
    """Tell whether challenges on tags that were committed to at a height can be made at another."""
    return height % ROUND_BLOCKS == 0 and first_mixed(height) > committed_at


def first_mixed(height: int) -> int:
    """Return the height of the first block that is mixed into a round's challenges."""
    return height - MIXED_BLOCKS + 1


def first_round(committed_at: int) -> int:
    """Return the height of the first round after a commitment."""
    earliest = committed_at + MIXED_BLOCKS
    return -(-earliest // ROUND_BLOCKS) * ROUND_BLOCKS


def last_round(committed_at: int, finalized: int) -> int:
    """Return the height of the last round whose blocks are all final.

    Raises:
        ChallengeEarly: the first one is not.
    """
    height = finalized // ROUND_BLOCKS * ROUND_BLOCKS
    if not is_round(height, committed_at):
        raise not_final(first_round(committed_at))
    return height


def require_round(height: int, committed_at: int) -> None:
    """Refuse a height that is no round.

    Raises:
        ChallengeMismatch: it is none.
    """
    if not is_round(height, committed_at):
        first = first_round(committed_at)
        raise ChallengeMismatch(
            f"block {height} is no round: rounds begin with {first}, every {ROUND_BLOCKS} blocks"
        )


def not_final(height: int) -> ChallengeEarly:
    """Return the error that says which block to wait for."""
    return ChallengeEarly(f"nothing can be asked yet: wait until block {height} is final")
