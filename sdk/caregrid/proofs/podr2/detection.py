"""How many blocks must be asked for to find damage."""

from __future__ import annotations

from math import comb
from typing import Final

from caregrid.errors import InputInvalid
from caregrid.proofs.podr2.scheme import BLOCKS

#: Finds damage to 1 % of the blocks, ten of them, with probability 0.97.
DEFAULT_COUNT: Final = 300


def detection(damaged: int, count: int) -> float:
    """Return the probability that `count` distinct blocks drawn at random meet one of the damaged.

    Raises:
        InputInvalid: a number is not from 0 to 1,024.
    """
    if not (0 <= damaged <= BLOCKS and 0 <= count <= BLOCKS):
        raise InputInvalid(f"a fragment has {BLOCKS} blocks; give numbers from 0 to that")
    return 1 - comb(BLOCKS - damaged, count) / comb(BLOCKS, count)


def blocks_needed(damaged: int, probability: float) -> int:
    """Return the least count that finds so much damage with at least this probability.

    Raises:
        InputInvalid: nothing is damaged, or the probability is not above 0 and below 1.
    """
    if not (1 <= damaged <= BLOCKS and 0 < probability < 1):
        raise InputInvalid(f"give 1 to {BLOCKS} damaged blocks and a probability between 0 and 1")
    return next(count for count in range(1, BLOCKS + 1) if detection(damaged, count) >= probability)
