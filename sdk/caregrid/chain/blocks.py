"""Finalized blocks by number, without a gap: what stood in them and what came of it."""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain import rejections, values
from caregrid.chain.port import BlockRef, FinalizedBlock
from caregrid.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from caregrid.chain.connection import Connection
    from caregrid.chain.events import Reported
    from caregrid.chain.port import Event
    from caregrid.errors import CaregridError

#: How often the finalized head is asked for. A slot is 2 seconds.
POLL_INTERVAL_S: Final = 0.25
#: Blocks whose extrinsics are remembered, so that many waiting callers read each block once.
_REMEMBERED: Final = 256
#: Twox128 of `System` and of `Events`: known before any metadata is.
_EVENTS_KEY: Final = "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7"


@dataclass(frozen=True, kw_only=True, slots=True)
class Executed:
    """One extrinsic in a finalized block."""

    block: BlockRef
    events: tuple[Event, ...]
    rejection: CaregridError | None


def finalized_head(client: Any) -> BlockRef:
    """Return the last finalized block; its number never falls, whichever endpoint answers."""
    head: BlockRef = client.final_head()
    return head


def block_at(client: Any, number: int) -> BlockRef:
    """Return the block of a number that was final somewhere; see `Client.final_hash`."""
    return BlockRef(number=number, hash=values.to_bytes(client.final_hash(number)))


def finalized_block(client: Any, number: int) -> BlockRef | None:
    """Return the block of a number if it is final."""
    return block_at(client, number) if number <= finalized_head(client).number else None


def spec_version(client: Any) -> int:
    """Return the version of the runtime at the last finalized block."""
    return int(client.version_at(client.get_chain_finalised_head()).spec)


def decoded_events(client: Any, block: BlockRef) -> list[Reported]:
    """Return a block's events, decoded with the runtime that executed it."""
    block_hash = "0x" + block.hash.hex()
    client.init_runtime(block_hash)
    encoded = client.rpc_request("state_getStorage", [_EVENTS_KEY, block_hash])["result"]
    decoded: list[Reported] = (
        [] if encoded is None else client.runtime.events.decode(values.to_bytes(encoded))
    )
    return decoded


async def follow(connection: Connection, start: int) -> AsyncIterator[FinalizedBlock]:
    """Yield every finalized block from `start` on, for ever.

    Raises:
        ProtocolViolation: the next block does not follow the last one: a final block was replaced.
    """
    number, last = start, None
    while True:
        head = await connection.run(finalized_head)
        while number <= head.number:
            block, parent = await connection.run(functools.partial(_read, number=number))
            if last is not None and parent != last:
                raise ProtocolViolation(f"block {number - 1} was final and is another one now")
            yield block
            number, last = number + 1, block.ref.hash
        await asyncio.sleep(POLL_INTERVAL_S)


def _read(client: Any, number: int) -> tuple[FinalizedBlock, bytes]:
    """Return a block and its parent's hash."""
    ref = block_at(client, number)
    events = tuple(event for _, event in decoded_events(client, ref))
    return FinalizedBlock(ref=ref, events=events), values.to_bytes(client.parent("0x" + ref.hash.hex()))


class ExtrinsicIndex:
    """Finds extrinsics by hash in finalized blocks; belongs to one connection's thread."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[int, tuple[BlockRef, Mapping[bytes, int]]] = OrderedDict()
        self._events: OrderedDict[int, Sequence[Reported]] = OrderedDict()

    def find(self, client: Any, number: int, wanted: set[bytes]) -> dict[bytes, Executed]:
        """Return those of the wanted extrinsics (BLAKE2b-256 hashes) that stand in block `number`."""
        block, hashes = self._block(client, number)
        found = wanted & hashes.keys()
        if not found:
            return {}
        events = self._block_events(client, block)
        # Which error a number means, the runtime that executed the block has to say.
        client.init_runtime("0x" + block.hash.hex())
        return {one: _executed(client, block, hashes[one], events) for one in found}

    def _block(self, client: Any, number: int) -> tuple[BlockRef, Mapping[bytes, int]]:
        if number not in self._hashes:
            block = block_at(client, number)
            answer = client.rpc_request("chain_getBlock", ["0x" + block.hash.hex()])
            extrinsics = answer["result"]["block"]["extrinsics"]
            hashes = {extrinsic_hash(values.to_bytes(raw)): index for index, raw in enumerate(extrinsics)}
            self._remember(self._hashes, number, (block, hashes))
        return self._hashes[number]

    def _block_events(self, client: Any, block: BlockRef) -> Sequence[Reported]:
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


def _executed(client: Any, block: BlockRef, index: int, events: Sequence[Reported]) -> Executed:
    own = tuple(event for belongs_to, event in events if belongs_to == index)
    return Executed(block=block, events=own, rejection=rejections.rejection(own, client.metadata))
