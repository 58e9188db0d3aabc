"""What the chain says was stored, for tests that count it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caregrid.chain import Chain


async def stored_records(chain: Chain, start: int) -> list[bytes]:
    """Return the record of every `RecordStored` event since a finalized block, repetitions included."""
    end, stored = (await chain.finalized_head()).number, list[bytes]()
    async for block in chain.finalized_blocks(start):
        stored += [
            event.fields["record"]
            for event in block.events
            if (event.pallet, event.name) == ("Emr", "RecordStored")
        ]
        if block.ref.number >= end:
            break
    return stored
