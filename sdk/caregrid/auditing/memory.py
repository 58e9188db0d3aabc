"""Proofs by nodes in memory, for tests of what builds on the port."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from caregrid.errors import DiskLow, InputInvalid, ObjectUnknown, TagsUnknown
from caregrid.proofs import podr2
from caregrid.proofs.proving_store import FragmentPlace, ProvingStore
from caregrid.storage import reed_solomon
from caregrid.storage.file_id import SEGMENT_SIZE

if TYPE_CHECKING:
    from caregrid.errors import CaregridError
    from caregrid.proofs.podr2 import Challenge, PublicKey
    from caregrid.storage import MemoryObjectStore

_MAX_SETS: Final = 8


class MemoryProvingStore(ProvingStore):
    """Answers for the objects of a store in memory, as honest nodes do.

    A fault put into `faults` is raised for its fragment; bytes put into `damaged` stand in for its content.
    """

    def __init__(self, objects: MemoryObjectStore) -> None:
        self._objects = objects
        self._tags: dict[FragmentPlace, dict[bytes, bytes]] = {}
        self.faults: dict[FragmentPlace, CaregridError] = {}
        self.damaged: dict[FragmentPlace, bytes] = {}

    async def put_tags(self, place: FragmentPlace, tags: bytes, key: PublicKey | None) -> bytes:
        """Keep tags; see `ProvingStore.put_tags`."""
        fragment = await self._fragment(place)
        if not await asyncio.to_thread(_are_right, fragment, tags, key):
            raise InputInvalid("these are not the fragment's tags under this key")
        held, name = self._tags.setdefault(place, {}), sha256(tags).digest()
        if name not in held and len(held) >= _MAX_SETS:
            raise DiskLow(f"the fragment has {_MAX_SETS} sets of tags already")
        held[name] = tags
        return name

    async def held_tags(self, place: FragmentPlace) -> frozenset[bytes]:
        """Tell which tags are kept; see `ProvingStore.held_tags`."""
        await self._fragment(place)
        return frozenset(self._tags.get(place, {}))

    async def prove(self, place: FragmentPlace, tags: bytes, challenge: Challenge) -> bytes:
        """Answer a challenge; see `ProvingStore.prove`."""
        fragment = await self._fragment(place)
        held = self._tags.get(place, {}).get(tags)
        if held is None:
            raise TagsUnknown
        return await asyncio.to_thread(podr2.prove, fragment, held, challenge)

    async def close(self) -> None:
        """Forget every tag."""
        self._tags.clear()

    async def _fragment(self, place: FragmentPlace) -> bytes:
        if place in self.faults:
            raise self.faults[place]
        found = await self._objects.stat(place.object_id)
        start = place.segment * SEGMENT_SIZE
        if found is None or start >= found.size or not 0 <= place.index < reed_solomon.TOTAL_SHARDS:
            raise ObjectUnknown
        if place in self.damaged:
            return self.damaged[place]
        length = min(SEGMENT_SIZE, found.size - start)
        segment = await self._objects.read_range(place.object_id, start, length)
        return (await asyncio.to_thread(reed_solomon.encode, segment))[place.index]


def _are_right(fragment: bytes, tags: bytes, key: PublicKey | None) -> bool:
    if key is None:
        return len(tags) == podr2.Scheme.PRIVATE.tags_len
    return podr2.accepts_tags(key, fragment, tags)
