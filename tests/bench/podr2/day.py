"""What a day of audits costs for 1 TiB, computed from the measured times."""

from __future__ import annotations

from typing import Final

#: A TiB of sealed bytes is coded 4 to 12, so it lies in so many fragments.
FRAGMENTS: Final = 3 * (1 << 40) // (8 << 20)

ANCHOR: Final = f"each of {FRAGMENTS} fragments, 3 TiB in all, proved and verified once; tagging not counted"


def cost(*, prove: float, verify: float) -> float:
    """Return the seconds of one core for both sides together."""
    return FRAGMENTS * (prove + verify)
