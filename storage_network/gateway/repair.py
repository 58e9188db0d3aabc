"""Rebuilding: fragments that are lost or damaged are computed anew from four others and given to nodes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.errors import DigestMismatch, FragmentsMissing, StorageUnreachable
from caregrid.storage import reed_solomon
from caregrid.storage.file_id import DATA_SHARDS
from storage_network.gateway.concurrency import together
from storage_network.gateway.writing import Parcel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from storage_network.gateway.catalogue import PlacedFragment, PlacedSegment, StoredObject
    from storage_network.gateway.homes import Homes
    from storage_network.gateway.node_client import NodeClient
    from storage_network.gateway.writing import Writer

#: Segments rebuilt at once over all requests; each takes about 200 MiB of memory meanwhile.
MAX_REPAIRS_IN_MEMORY: Final = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuilt:
    """A fragment that has a home again."""

    segment: int
    position: int
    node: str


class Repairer:
    """Brings segments back to twelve intact fragments on distinct nodes, as far as there are nodes."""

    def __init__(self, nodes: NodeClient, homes: Homes, writer: Writer) -> None:
        self._nodes, self._homes, self._writer = nodes, homes, writer
        self._memory = asyncio.Semaphore(MAX_REPAIRS_IN_MEMORY)

    async def repair(self, stored: StoredObject) -> AsyncIterator[list[Rebuilt]]:
        """Read every fragment of an object, rebuild what is not intact, and yield what has a new home.

        A yield a segment, so that what is done is noted before the next one begins.

        Raises:
            FragmentsMissing: fewer than 4 intact fragments of a segment can be had; the others are repaired.
        """
        beyond_repair = False
        for number, segment in enumerate(stored.segments):
            async with self._memory:
                try:
                    rebuilt = await self._segment(number, segment)
                except FragmentsMissing:
                    beyond_repair = True
                    continue
            yield rebuilt
        if beyond_repair:
            raise FragmentsMissing

    async def _segment(self, number: int, segment: PlacedSegment) -> list[Rebuilt]:
        intact = await together(self._is_intact(each) for each in segment)
        lost = [position for position, sound in enumerate(intact) if not sound]
        if not lost:
            return []
        contents = await self._contents(
            segment, [position for position in range(len(segment)) if intact[position]]
        )
        fragments = await asyncio.to_thread(_rebuild, contents, [(at, segment[at].digest) for at in lost])
        homes = await self._candidates(segment, intact)
        rebuilt = [await self._place(number, at, segment[at].digest, fragments[at], homes) for at in lost]
        _log.info("segment_repaired lost=%d rebuilt=%d", len(lost), sum(each is not None for each in rebuilt))
        return [each for each in rebuilt if each is not None]

    async def _is_intact(self, fragment: PlacedFragment) -> bool:
        # What a node vouches for that has sent other bytes counts for nothing.
        return not self._nodes.is_suspect(fragment.node) and await self._nodes.has_intact(
            fragment.node, fragment.digest
        )

    async def _contents(self, segment: PlacedSegment, sound: Sequence[int]) -> dict[int, bytes]:
        contents: dict[int, bytes] = {}
        for position in sound:
            if len(contents) == DATA_SHARDS:
                break
            try:
                contents[position] = await self._nodes.get(segment[position].node, segment[position].digest)
            except StorageUnreachable:
                continue
        if len(contents) < DATA_SHARDS:
            raise FragmentsMissing
        return contents

    async def _candidates(self, segment: PlacedSegment, intact: Sequence[bool]) -> deque[str]:
        # First the nodes that lost theirs and are back, then those that hold nothing of this segment.
        holding = {fragment.node for fragment, sound in zip(segment, intact, strict=True) if sound}
        everybody = await self._homes.order(wanted=len(self._nodes.names))
        roomy = [node for node in everybody if node not in holding]
        former = {fragment.node for fragment in segment}
        return deque(sorted(roomy, key=lambda node: (self._nodes.is_suspect(node), node not in former)))

    async def _place(
        self, number: int, position: int, digest: bytes, content: bytes, homes: deque[str]
    ) -> Rebuilt | None:
        if not homes:
            return None
        keeper = await self._writer.place(Parcel(digest=digest, content=content), homes.popleft(), homes)
        return None if keeper is None else Rebuilt(segment=number, position=position, node=keeper)


def _rebuild(contents: dict[int, bytes], lost: Sequence[tuple[int, bytes]]) -> dict[int, bytes]:
    fragments = reed_solomon.encode(reed_solomon.reconstruct(contents))
    for position, digest in lost:
        if hashlib.sha256(fragments[position]).digest() != digest:
            raise DigestMismatch("a rebuilt fragment does not have the hash that it had")
    return {position: fragments[position] for position, _ in lost}
