"""Finalized blocks by number, without a gap: what stood in them and what came of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain import rejections, values
from caregrid.chain.port import BlockRef, FinalizedBlock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from caregrid.chain.connection import Connection
    from caregrid.chain.port import Event
    from caregrid.errors import CaregridError

#: How often the finalized head is asked for. A slot is 2 seconds.
POLL_INTERVAL_S: Final = 0.25
#: Blocks whose extrinsics are remembered, so that many waiting callers read each block once.
_REMEMBERED: Final = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Executed:
    """One extrinsic in a finalized block."""

    block: BlockRef
    events: tuple[Event, ...]
    rejection: CaregridError | None


def finalized_head(client: Any) -> BlockRef:
    """Return the last finalized block."""
    block_hash = client.get_chain_finalised_head()
    return BlockRef(number=client.get_block_number(block_hash), hash=values.to_bytes(block_hash))


def block_at(client: Any, number: int) -> BlockRef:
    """Return the block of a number that is known to be final."""
    return BlockRef(number=number, hash=values.to_bytes(client.get_block_hash(number)))


def decoded_events(client: Any, block: BlockRef) -> list[dict[str, Any]]:
    """Return a block's events, decoded with the runtime that executed it."""
    return [event.value for event in client.get_events("0x" + block.hash.hex())]


async def follow(connection: Connection, start: int) -> AsyncIterator[FinalizedBlock]:
    """Yield every finalized block from `start` on, for ever."""
    number = start
    while True:
        head = await connection.run(finalized_head)
        while number <= head.number:
            yield await connection.run(lambda client, at=number: _read(client, at))  # type: ignore[misc] # mypy cannot infer a lambda with a default
            number += 1
        await asyncio.sleep(POLL_INTERVAL_S)


def _read(client: Any, number: int) -> FinalizedBlock:
    ref = block_at(client, number)
    events = tuple(values.to_event(event) for event in decoded_events(client, ref))
    return FinalizedBlock(ref=ref, events=events)


class ExtrinsicIndex:
    """Finds extrinsics by hash in finalized blocks; belongs to one connection's thread."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[int, tuple[BlockRef, Mapping[bytes, int]]] = OrderedDict()
        self._events: OrderedDict[int, list[dict[str, Any]]] = OrderedDict()

    def find(self, client: Any, number: int, wanted: set[bytes]) -> dict[bytes, Executed]:
        """Return those of the wanted extrinsics (BLAKE2b-256 hashes) that stand in block `number`."""
        block, hashes = self._block(client, number)
        found = wanted & hashes.keys()
        if not found:
            return {}
        events = self._block_events(client, block)
        return {one: _executed(client, block, hashes[one], events) for one in found}

    def _block(self, client: Any, number: int) -> tuple[BlockRef, Mapping[bytes, int]]:
        if number not in self._hashes:
            block = block_at(client, number)
            answer = client.rpc_request("chain_getBlock", ["0x" + block.hash.hex()])
            extrinsics = answer["result"]["block"]["extrinsics"]
            hashes = {extrinsic_hash(values.to_bytes(raw)): index for index, raw in enumerate(extrinsics)}
            self._remember(self._hashes, number, (block, hashes))
        return self._hashes[number]

    def _block_events(self, client: Any, block: BlockRef) -> list[dict[str, Any]]:
        if block.number not in self._events:
            self._remember(self._events, block.number, decoded_events(client, block))
        return self._events[block.number]

    @staticmethod
    def _remember(cache: OrderedDict[int, Any], number: int, value: Any) -> None:
        cache[number] = value
        while len(cache) > _REMEMBERED:
            cache.popitem(last=False)


def extrinsic_hash(raw: bytes) -> bytes:
    """Return the hash that nodes know an extrinsic by: BLAKE2b-256 of its encoding."""
    return hashlib.blake2b(raw, digest_size=32).digest()


def _executed(client: Any, block: BlockRef, index: int, events: list[dict[str, Any]]) -> Executed:
    own = [event for event in events if event["extrinsic_idx"] == index]
    return Executed(
        block=block,
        events=tuple(values.to_event(event) for event in own),
        rejection=rejections.rejection(own, client.metadata),
    )
