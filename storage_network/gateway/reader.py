"""Reading: data fragments where they are intact, any four fragments of a segment where they are not."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from caregrid.errors import FragmentsMissing, ObjectUnknown, StorageUnreachable
from caregrid.storage import reed_solomon
from caregrid.storage.file_id import DATA_SHARDS, FRAGMENT_SIZE, SEGMENT_SIZE
from storage_network.gateway.concurrency import together
from storage_network.ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from storage_network.gateway.catalogue import PlacedFragment, PlacedSegment, StoredObject
    from storage_network.gateway.node_client import NodeClient

    ReadPiece = Callable[[PlacedFragment, ByteRange], Awaitable[bytes]]
    ReadFragment = Callable[[PlacedFragment], Awaitable[bytes]]

#: Segments restored at once over all readers; each takes about 100 MiB of memory meanwhile.
MAX_RESTORES_IN_MEMORY: Final = 2
#: Pieces of up to `SMALL_PIECE` bytes restored at once; each takes six times its length.
MAX_SMALL_RESTORES: Final = 8
SMALL_PIECE: Final = 1 << 20

_log = logging.getLogger(__name__)


class Reader:
    """Reads stored objects in pieces of at most one fragment, or one segment where it had to be restored."""

    def __init__(self, nodes: NodeClient) -> None:
        self._nodes = nodes
        self._memory = asyncio.Semaphore(MAX_RESTORES_IN_MEMORY)
        self._little_memory = asyncio.Semaphore(MAX_SMALL_RESTORES)
        self.restored = 0  #: pieces and segments read from other fragments than their data, since the start

    async def whole(self, stored: StoredObject) -> AsyncGenerator[bytes]:
        """Yield an object; every fragment is checked against its hash.

        Raises:
            FragmentsMissing: fewer than 4 intact fragments of a segment can be had.
        """
        for number, within in _split(ByteRange(start=0, end=stored.size), SEGMENT_SIZE):
            segment = stored.segments[number]
            for index, piece in _split(within, FRAGMENT_SIZE):
                try:
                    yield await self._unless_down(segment[index], piece, self._checked_piece)
                except StorageUnreachable:
                    rest = ByteRange(start=index * FRAGMENT_SIZE + piece.start, end=within.end)
                    yield await self._restored(segment, rest)
                    break

    async def part(self, stored: StoredObject, wanted: ByteRange) -> AsyncGenerator[bytes]:
        """Yield a part of an object; errors as `whole`.

        What nodes send goes out as it is, or restored from it: whoever reads a part has a digest of it.
        """
        for number, within in _split(wanted, SEGMENT_SIZE):
            segment = stored.segments[number]
            for index, piece in _split(within, FRAGMENT_SIZE):
                try:
                    yield await self._unless_down(segment[index], piece, self._piece)
                except StorageUnreachable:
                    yield await self._restored_piece(segment, index, piece)

    async def fragment(self, stored: StoredObject, digest: bytes) -> bytes:
        """Return one fragment of an object, computed from four others where its node does not have it.

        Raises:
            ObjectUnknown: the object has no such fragment.
            FragmentsMissing: as `whole`.
        """
        segment, index = _place_of(stored, digest)
        try:
            return await self._nodes.get(segment[index].node, digest)
        except StorageUnreachable:
            async with self._memory:
                held = await self._any_four(segment, self._whole_fragment)
                return await asyncio.to_thread(_rebuild, held, index)

    async def _unless_down(self, fragment: PlacedFragment, piece: ByteRange, read: ReadPiece) -> bytes:
        if self._is_unwell(fragment.node):
            raise StorageUnreachable
        return await read(fragment, piece)

    async def _piece(self, fragment: PlacedFragment, piece: ByteRange) -> bytes:
        return await self._nodes.get_part(fragment.node, fragment.digest, piece.start, piece.length)

    async def _checked_piece(self, fragment: PlacedFragment, piece: ByteRange) -> bytes:
        content = await self._nodes.get(fragment.node, fragment.digest, filled=piece.end)
        return content[piece.start : piece.end]

    async def _restored(self, segment: PlacedSegment, wanted: ByteRange) -> bytes:
        async with self._memory:
            held = await self._any_four(segment, self._whole_fragment)
            self.restored += 1
            _log.info("segment_restored from=%s", sorted(held))
            return await asyncio.to_thread(_restore, held, wanted)

    async def _restored_piece(self, segment: PlacedSegment, index: int, piece: ByteRange) -> bytes:
        async def read(fragment: PlacedFragment) -> bytes:
            return await self._piece(fragment, piece)

        async with self._little_memory if piece.length <= SMALL_PIECE else self._memory:
            # The same bytes of four others are enough.
            held = await self._any_four(segment, read)
            self.restored += 1
            _log.info("piece_restored from=%s", sorted(held))
            return (await asyncio.to_thread(reed_solomon.restore_shards, held))[index]

    async def _any_four(self, segment: PlacedSegment, read: ReadFragment) -> dict[int, bytes]:
        # Nodes that failed a moment ago are asked, too, but last.
        untried = sorted(range(len(segment)), key=lambda index: self._is_unwell(segment[index].node))
        held: dict[int, bytes] = {}
        while len(held) < DATA_SHARDS and untried:
            missing = DATA_SHARDS - len(held)
            batch, untried = untried[:missing], untried[missing:]
            found = await together(_unless_unreachable(read(segment[index])) for index in batch)
            held |= {index: got for index, got in zip(batch, found, strict=True) if got is not None}
        if len(held) < DATA_SHARDS:
            raise FragmentsMissing
        return held

    def _is_unwell(self, node: str) -> bool:
        return self._nodes.seems_down(node) or self._nodes.is_suspect(node)

    async def _whole_fragment(self, fragment: PlacedFragment) -> bytes:
        return await self._nodes.get(fragment.node, fragment.digest)


async def _unless_unreachable(reading: Awaitable[bytes]) -> bytes | None:
    try:
        return await reading
    except StorageUnreachable:
        return None


def _restore(held: dict[int, bytes], wanted: ByteRange) -> bytes:
    # Each byte depends on the bytes at its own place in the other fragments only.
    pieces = list(_split(wanted, FRAGMENT_SIZE))
    first, end = min(piece.start for _, piece in pieces), max(piece.end for _, piece in pieces)
    data = reed_solomon.restore_shards({index: content[first:end] for index, content in held.items()})
    return b"".join(data[index][piece.start - first : piece.end - first] for index, piece in pieces)


def _split(wanted: ByteRange, size: int) -> Iterator[tuple[int, ByteRange]]:
    """Yield the number of each unit of `size` bytes that a range touches, with the range inside it."""
    for number in range(wanted.start // size, (wanted.end - 1) // size + 1):
        base = number * size
        yield number, ByteRange(start=max(wanted.start - base, 0), end=min(wanted.end - base, size))


def _place_of(stored: StoredObject, digest: bytes) -> tuple[PlacedSegment, int]:
    for segment in stored.segments:
        for index, fragment in enumerate(segment):
            if fragment.digest == digest:
                return segment, index
    raise ObjectUnknown("Not found")


def _rebuild(held: dict[int, bytes], index: int) -> bytes:
    data = reed_solomon.restore_shards(held)
    return data[index] if index < DATA_SHARDS else reed_solomon.encode_shards(data)[index - DATA_SHARDS]
