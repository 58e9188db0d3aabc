"""Writing: every segment is coded and its 12 fragments go to 12 nodes."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from caregrid.errors import DigestMismatch, StorageUnreachable
from caregrid.storage.reed_solomon import TOTAL_SHARDS, Fragment, SegmentBuffer
from storage_network.gateway.catalogue import PlacedFragment
from storage_network.gateway.concurrency import together
from storage_network.gateway.writing import Parcel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from storage_network.gateway.catalogue import PlacedSegment
    from storage_network.gateway.homes import Homes
    from storage_network.gateway.spool import Spool
    from storage_network.gateway.writing import Writer


class Disperser:
    """Spreads segments over the nodes, one at a time over all uploads: each takes 96 MiB of memory."""

    def __init__(self, homes: Homes, writer: Writer) -> None:
        self._homes, self._writer = homes, writer
        self._turn = asyncio.Lock()
        self._buffer: SegmentBuffer | None = None

    async def disperse(self, spool: Spool, segments: Sequence[bytes]) -> tuple[PlacedSegment, ...]:
        """Write every segment of an upload, given their hashes; on return all fragments are durable.

        Raises:
            StorageUnreachable: fewer than 12 nodes take fragments.
        """
        return tuple([await self._segment(spool, number, digest) for number, digest in enumerate(segments)])

    async def _segment(self, spool: Spool, number: int, digest: bytes) -> PlacedSegment:
        async with self._turn:
            with self._borrowed() as buffer:
                fragments = await asyncio.to_thread(_code, buffer, spool, number, digest)
                # Asked for each segment: what was alive when a long upload began may be full or gone by now.
                spares = deque(await self._homes.order())
                homes = [_next_node(spares) for _ in range(TOTAL_SHARDS)]
                placed = zip(homes, fragments, strict=True)
                return tuple(await together(self._fragment(home, each, spares) for home, each in placed))

    @contextmanager
    def _borrowed(self) -> Iterator[SegmentBuffer]:
        # Who is cancelled leaves a thread behind that still writes to the buffer: it is not used again then.
        buffer, self._buffer = self._buffer or SegmentBuffer(), None
        yield buffer
        self._buffer = buffer

    async def _fragment(self, home: str, fragment: Fragment, spares: deque[str]) -> PlacedFragment:
        parcel = Parcel(digest=fragment.digest, content=fragment.content[: fragment.filled])
        keeper = await self._writer.place(parcel, home, spares)
        if keeper is None:
            raise _too_few()
        return PlacedFragment(digest=fragment.digest, node=keeper)


def _next_node(spares: deque[str]) -> str:
    if not spares:
        raise _too_few()
    return spares.popleft()


def _too_few() -> StorageUnreachable:
    return StorageUnreachable(
        f"fewer than {TOTAL_SHARDS} storage nodes take fragments; start more, then retry"
    )


def _code(buffer: SegmentBuffer, spool: Spool, number: int, digest: bytes) -> list[Fragment]:
    segment, fragments = buffer.take(lambda room: spool.read_segment(number, room))
    if segment != digest:
        raise DigestMismatch("an upload's file has changed on the gateway's disk; store it again")
    return fragments
