"""Looks many records up on chain, a bounded number at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import Chain, Record

#: Storage keys in one request; a node answers this many well inside its limits.
LOOKUP_SIZE: Final = 512


async def anchored_records(chain: Chain, record_ids: Sequence[bytes]) -> dict[bytes, Record]:
    """Return those of the records that are anchored at the finalized head."""
    found: dict[bytes, Record] = {}
    for start in range(0, len(record_ids), LOOKUP_SIZE):
        found |= await chain.records(record_ids[start : start + LOOKUP_SIZE])
    return found
