"""Storage nodes, with a note of why each of them gave no proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.errors import CaregridError
from caregrid.proofs.proving_store import FragmentPlace, ProvingStore
from caregrid.proofs.tag_list import PER_SEGMENT

if TYPE_CHECKING:
    from caregrid.proofs.podr2 import Challenge, PublicKey


class Witness(ProvingStore):
    """Passes everything on; the store behind it stays open."""

    def __init__(self, store: ProvingStore) -> None:
        self._store = store
        self._refusals = dict[FragmentPlace, CaregridError]()

    def refused(self, kind: type[CaregridError]) -> frozenset[int]:
        """Return the numbers of the fragments whose last answer was an error of this kind."""
        found = (place for place, error in self._refusals.items() if isinstance(error, kind))
        return frozenset(place.segment * PER_SEGMENT + place.index for place in found)

    async def put_tags(self, place: FragmentPlace, tags: bytes, key: PublicKey | None) -> bytes:
        """Have tags kept; see `ProvingStore.put_tags`."""
        return await self._store.put_tags(place, tags, key)

    async def held_tags(self, place: FragmentPlace) -> frozenset[bytes]:
        """Ask which tags are kept; see `ProvingStore.held_tags`."""
        return await self._store.held_tags(place)

    async def prove(self, place: FragmentPlace, tags: bytes, challenge: Challenge) -> bytes:
        """Have a challenge answered; see `ProvingStore.prove`."""
        self._refusals.pop(place, None)
        try:
            return await self._store.prove(place, tags, challenge)
        except CaregridError as exc:
            self._refusals[place] = exc
            raise

    async def close(self) -> None:
        """Do nothing: the store is somebody else's."""
