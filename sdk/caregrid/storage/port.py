"""Object storage as the rest of CareGrid sees it: immutable objects under CESS file ids."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where an object's fragments are; of several segments, the one that has fewest."""

    needed: int  #: fragments that restore a segment
    total: int  #: fragments that a segment was coded into
    living: int  #: of these, how many are on storage nodes that answer
    nodes: int  #: distinct storage nodes that hold living fragments

    def __post_init__(self) -> None:
        if not 0 < self.needed < self.total or not 0 <= self.nodes <= self.living <= self.total:
            raise ValueError("no segment has fragments like that")


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectStat:
    """What the storage network says of one object."""

    object_id: bytes
    size: int  #: unpadded bytes
    placement: Placement | None = None  #: None where the network does not tell; stock DeOSS does not


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """What a repair came to."""

    rebuilt: int  #: fragments that were lost or damaged, and are on a node again
    placement: Placement  #: as it is now


class ObjectStore(ABC):
    """Immutable objects, named by their file id; every whole read is checked against it."""

    @abstractmethod
    async def put(self, source: Path) -> bytes:
        """Store a file as one object and return its 32-byte file id; storing it again changes nothing.

        Raises:
            InputEmpty: the file is empty.
            FileIdMismatch: the gateway computed another file id than we did.
            StorageUnreachable: the gateway did not answer within its deadline.
        """

    @abstractmethod
    async def read_range(self, object_id: bytes, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; for small ranges, the caller checks the digest.

        Raises:
            ObjectUnknown: no such object.
            FragmentsMissing: too many storage nodes are down or corrupt.
            StorageUnreachable: the gateway did not answer within its deadline.
        """

    @abstractmethod
    def stream_range(self, object_id: bytes, offset: int, length: int) -> AsyncIterator[bytes]:
        """Yield exactly `length` bytes from `offset` in chunks of bounded size; errors as `read_range`."""

    @abstractmethod
    async def download(self, object_id: bytes, target: Path) -> int:
        """Write a whole object to a file, atomically, verified against its file id; return its size."""

    @abstractmethod
    async def stat(self, object_id: bytes) -> ObjectStat | None:
        """Return what the network knows of an object, or None."""

    @abstractmethod
    async def repair(self, object_id: bytes) -> Repair | None:
        """Have fragments that are lost or damaged rebuilt; None where the network does that itself, as CESS.

        Fragments for which there is no node that holds none of their segment stay lost. Repairing again
        changes nothing more.

        Raises:
            ObjectUnknown: no such object.
            Unauthorised: the account did not store it.
            FragmentsMissing: a segment has fewer intact fragments than restore it; the others were repaired.
            StorageUnreachable: the gateway did not answer within its deadline.
        """

    @abstractmethod
    async def close(self) -> None:
        """Release connections."""
