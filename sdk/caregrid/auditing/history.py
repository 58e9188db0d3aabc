"""What the chain's events tell of an object's proofs."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.walking import blocks_until
from caregrid.errors import InputInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import Chain, Event

#: Blocks read at most: half a day of them, some minutes of reading.
MAX_BLOCKS: Final = 21_600

_KINDS: Final = frozenset({"ProofCommitted", "IntegrityReported"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One event about an object's proofs."""

    height: int
    name: str  #: of the event
    facts: dict[str, Any]


async def history(chain: Chain, object_id: bytes, start: int, end: int) -> Sequence[Told]:
    """Return what the finalized blocks from `start` up to and with `end` tell, in order.

    Raises:
        InputInvalid: there are too many blocks, or none.
        StateDiscarded: the node does not keep the state of such old blocks.
    """
    if not 0 <= start <= end or end - start >= MAX_BLOCKS:
        raise InputInvalid(f"read 1 to {MAX_BLOCKS} blocks at once; give a start and an end")
    told = list[Told]()
    async with aclosing(blocks_until(chain, start, end)) as blocks:
        async for block in blocks:
            told += [_told(block.ref.number, event) for event in block.events if _is_about(event, object_id)]
    return told


def _is_about(event: Event, object_id: bytes) -> bool:
    return event.pallet == "Emr" and event.name in _KINDS and event.fields.get("object") == object_id


def _told(height: int, event: Event) -> Told:
    facts = {name: value for name, value in event.fields.items() if name != "object"}
    return Told(height=height, name=event.name, facts=facts)
