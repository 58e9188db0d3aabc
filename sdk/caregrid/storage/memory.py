"""An object store in memory, for tests of what builds on the port."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from caregrid.errors import FragmentsMissing, ObjectUnknown
from caregrid.storage import _checks, _downloads, _sources, reed_solomon
from caregrid.storage.file_id import FRAGMENT_SIZE, SEGMENT_SIZE, file_id_of
from caregrid.storage.port import (
    Fragment,
    NodeState,
    ObjectStat,
    ObjectStore,
    Placement,
    Repair,
    SegmentFragments,
    StoredEntry,
)
from caregrid.storage.progress import ProgressMeter
from caregrid.storage.territory import Territory, TerritoryState
from caregrid.storage.transfers import TransferPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from caregrid.storage.port import Source
    from caregrid.storage.progress import Progress

_CHUNK_SIZE: Final = 1024 * 1024
_SPACE: Final = 1024**4


class MemoryObjectStore(ObjectStore):
    """Behaves as a store on CESS does, but keeps its objects in this process."""

    def __init__(self) -> None:
        self._objects: dict[bytes, bytes] = {}
        self.placement = Placement(
            needed=4, total=12, living=12, nodes=12
        )  #: what `stat` says of each object

    async def put(self, source: Source, *, progress: Progress | None = None) -> bytes:
        """Keep a copy of the content; see `ObjectStore.put`."""
        async with _sources.opened(source) as file, ProgressMeter(progress, file.size) as meter:
            content = await asyncio.to_thread(file.read_at, 0, file.size)
            object_id = await asyncio.to_thread(file_id_of, content)
            await meter.reach(0)
            known = self._objects.setdefault(object_id, content)
            _checks.require_same_size(len(known), len(content))
        return object_id

    async def read_range(self, object_id: bytes, offset: int, length: int) -> bytes:
        """Return bytes of an object; see `ObjectStore.read_range`."""
        return b"".join([chunk async for chunk in self.stream_range(object_id, offset, length)])

    async def stream_range(self, object_id: bytes, offset: int, length: int) -> AsyncGenerator[bytes]:
        """Yield bytes of an object; see `ObjectStore.stream_range`."""
        _checks.require_range(object_id, offset, length)
        if length == 0:
            return
        content = self._content(object_id)
        end = offset + length
        _checks.require_end(end, len(content))
        for start in range(offset, end, _CHUNK_SIZE):
            yield content[start : min(start + _CHUNK_SIZE, end)]

    async def download(
        self, object_id: bytes, target: Path, *, progress: Progress | None = None, resume: bool = False
    ) -> int:
        """Write an object to a file; see `ObjectStore.download`."""
        _checks.require_object_id(object_id)
        size = len(self._content(object_id))

        def fetch(offset: int) -> AsyncGenerator[bytes]:
            return self.stream_range(object_id, offset, size - offset)

        return await _downloads.download(
            fetch, object_id, size, target, policy=TransferPolicy(), progress=progress, resume=resume
        )

    async def stat(self, object_id: bytes) -> ObjectStat | None:
        """Return the size of an object; see `ObjectStore.stat`."""
        _checks.require_object_id(object_id)
        content = self._objects.get(object_id)
        if content is None:
            return None
        return ObjectStat(object_id=object_id, size=len(content), placement=self.placement)

    async def fragments(
        self, object_id: bytes, *, checked: bool = False
    ) -> tuple[SegmentFragments, ...] | None:
        """Code the object to describe its fragments; see `ObjectStore.fragments`."""
        del checked  # what lives here is intact
        _checks.require_object_id(object_id)
        return await asyncio.to_thread(self._coded, self._content(object_id))

    async def repair(self, object_id: bytes) -> Repair | None:
        """Put the placement right; see `ObjectStore.repair`."""
        _checks.require_object_id(object_id)
        self._content(object_id)
        before = self.placement
        if before.living < before.needed:
            raise FragmentsMissing
        self.placement = replace(before, living=before.total, nodes=before.total)
        return Repair(rebuilt=before.total - before.living, placement=self.placement)

    async def delete(self, object_id: bytes) -> bool:
        """Forget an object; see `ObjectStore.delete`."""
        _checks.require_object_id(object_id)
        return self._objects.pop(object_id, None) is not None

    async def list(self, after: bytes | None = None) -> AsyncGenerator[StoredEntry]:
        """Yield every object; see `ObjectStore.list`."""
        if after is not None:
            _checks.require_object_id(after)
        for object_id in sorted(self._objects):
            content = self._objects.get(object_id)
            if content is not None and (after is None or object_id > after):
                yield StoredEntry(object_id=object_id, size=len(content), space=_space_of(content))

    async def nodes(self) -> tuple[NodeState, ...] | None:
        """Describe as many nodes as the placement has; see `ObjectStore.nodes`."""
        segments = sum(-(-len(content) // SEGMENT_SIZE) for content in self._objects.values())
        return tuple(self._node(index, segments) for index in range(self.placement.total))

    async def territory(self) -> Territory | None:
        """Return a territory of 1 TiB that does not end; see `ObjectStore.territory`."""
        used = sum(map(_space_of, self._objects.values()))
        return Territory(
            name="memory",
            total=_SPACE,
            used=used,
            remaining=max(0, _SPACE - used),
            state=TerritoryState.ACTIVE,
            deadline=None,
        )

    async def close(self) -> None:
        """Forget every object."""
        self._objects.clear()

    def _content(self, object_id: bytes) -> bytes:
        try:
            return self._objects[object_id]
        except KeyError:
            raise ObjectUnknown from None

    def _coded(self, content: bytes) -> tuple[SegmentFragments, ...]:
        starts = range(0, len(content), SEGMENT_SIZE)
        padded = (content[start : start + SEGMENT_SIZE].ljust(SEGMENT_SIZE, b"\0") for start in starts)
        return tuple(self._segment(segment) for segment in padded)

    def _segment(self, segment: bytes) -> SegmentFragments:
        coded = reed_solomon.encode(segment)
        fragments = tuple(self._fragment(index, each) for index, each in enumerate(coded))
        return SegmentFragments(digest=hashlib.sha256(segment).digest(), fragments=fragments)

    def _fragment(self, index: int, content: bytes) -> Fragment:
        digest = hashlib.sha256(content).digest()
        living = index < self.placement.living
        return Fragment(index=index, digest=digest, node=_node_name(index), living=living)

    def _node(self, index: int, segments: int) -> NodeState:
        used = segments * FRAGMENT_SIZE
        return NodeState(
            node=_node_name(index),
            living=index < self.placement.nodes,
            bytes_free=_SPACE - used,
            bytes_used=used,
            bytes_limit=_SPACE,
            fragments=segments,
            corrupt=0,
        )


def _node_name(index: int) -> str:
    return f"node-{index:02d}"


def _space_of(content: bytes) -> int:
    return -(-len(content) // SEGMENT_SIZE) * 3 * SEGMENT_SIZE
