"""Storage nodes that keep tags beside fragments and answer challenges, as the rest of CareGrid sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.proofs.tag_list import PER_SEGMENT

if TYPE_CHECKING:
    from caregrid.proofs.podr2 import Challenge, PublicKey


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class FragmentPlace:
    """One fragment of an object. Equal fragments of an object have places of their own."""

    object_id: bytes
    segment: int
    index: int

    @classmethod
    def numbered(cls, object_id: bytes, number: int) -> FragmentPlace:
        """Return the place of the fragment that has a number in the owner's list."""
        segment, index = divmod(number, PER_SEGMENT)
        return cls(object_id=object_id, segment=segment, index=index)


class ProvingStore(ABC):
    """A storage network whose nodes prove what they hold. Proofs are checked by who asked for them.

    Every method raises:
        ObjectUnknown: the network holds no such object, or it has no such fragment.
        FragmentLost: its node says that it has not got the fragment, or found it damaged.
        ProofOverdue: its node does not answer in time.
        StorageUnreachable: its node cannot be reached, or nobody who knows it.
        RateLimited: there is no time for us.
    """

    @abstractmethod
    async def put_tags(self, place: FragmentPlace, tags: bytes, key: PublicKey | None) -> bytes:
        """Have a fragment's node keep tags, durably, and return their SHA-256; again changes nothing.

        Args:
            place: which fragment.
            tags: of either scheme.
            key: what tags of the public scheme are checked with before they are kept; None for the private.

        Raises:
            InputInvalid: they are not the fragment's tags under this key.
            Unauthorised: the account did not store the object.
            DiskLow: the node has no room for them.
        """

    @abstractmethod
    async def held_tags(self, place: FragmentPlace) -> frozenset[bytes]:
        """Return the SHA-256 of every set of tags that the fragment's node keeps for it."""

    @abstractmethod
    async def prove(self, place: FragmentPlace, tags: bytes, challenge: Challenge) -> bytes:
        """Return a node's answer to a challenge, unchecked but of bounded length.

        Args:
            place: which fragment.
            tags: SHA-256 of the tags to answer with.
            challenge: what is asked.

        Raises:
            TagsUnknown: the node keeps no such tags.
        """

    @abstractmethod
    async def close(self) -> None:
        """Release connections."""
