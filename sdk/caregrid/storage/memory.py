"""An object store in memory, for tests of what builds on the port."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from caregrid.disk import AtomicFile
from caregrid.errors import FragmentsMissing, ObjectUnknown
from caregrid.storage import _checks, _files
from caregrid.storage.file_id import file_id_of
from caregrid.storage.port import ObjectStat, ObjectStore, Placement, Repair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_CHUNK_SIZE: Final = 1024 * 1024


class MemoryObjectStore(ObjectStore):
    """Behaves as a store on CESS does, but keeps its objects in this process."""

    def __init__(self) -> None:
        self._objects: dict[bytes, bytes] = {}
        self.placement = Placement(
            needed=4, total=12, living=12, nodes=12
        )  #: what `stat` says of each object

    async def put(self, source: Path) -> bytes:
        """Keep a copy of the file; see `ObjectStore.put`."""
        content = await asyncio.to_thread(_files.read_whole, source)
        object_id = await asyncio.to_thread(file_id_of, content)
        known = self._objects.setdefault(object_id, content)
        _checks.require_same_size(len(known), len(content))
        return object_id

    async def read_range(self, object_id: bytes, offset: int, length: int) -> bytes:
        """Return bytes of an object; see `ObjectStore.read_range`."""
        return b"".join([chunk async for chunk in self.stream_range(object_id, offset, length)])

    async def stream_range(self, object_id: bytes, offset: int, length: int) -> AsyncIterator[bytes]:
        """Yield bytes of an object; see `ObjectStore.stream_range`."""
        _checks.require_range(object_id, offset, length)
        if length == 0:
            return
        content = self._content(object_id)
        end = offset + length
        _checks.require_end(end, len(content))
        for start in range(offset, end, _CHUNK_SIZE):
            yield content[start : min(start + _CHUNK_SIZE, end)]

    async def download(self, object_id: bytes, target: Path) -> int:
        """Write an object to a file; see `ObjectStore.download`."""
        _checks.require_object_id(object_id)
        content = self._content(object_id)
        with AtomicFile(target) as part:
            await asyncio.to_thread(part.write, content)
            await asyncio.to_thread(part.publish)
        return len(content)

    async def stat(self, object_id: bytes) -> ObjectStat | None:
        """Return the size of an object; see `ObjectStore.stat`."""
        _checks.require_object_id(object_id)
        content = self._objects.get(object_id)
        if content is None:
            return None
        return ObjectStat(object_id=object_id, size=len(content), placement=self.placement)

    async def repair(self, object_id: bytes) -> Repair | None:
        """Put the placement right; see `ObjectStore.repair`."""
        _checks.require_object_id(object_id)
        self._content(object_id)
        before = self.placement
        if before.living < before.needed:
            raise FragmentsMissing
        self.placement = replace(before, living=before.total, nodes=before.total)
        return Repair(rebuilt=before.total - before.living, placement=self.placement)

    async def close(self) -> None:
        """Forget every object."""
        self._objects.clear()

    def _content(self, object_id: bytes) -> bytes:
        try:
            return self._objects[object_id]
        except KeyError:
            raise ObjectUnknown from None
