"""Object storage as the rest of CareGrid sees it: immutable objects under CESS file ids."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from caregrid.storage.progress import Progress
    from caregrid.storage.territory import Territory


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
    restoring: int | None = None  #: lost fragments that it has ordered to be restored; None where untold


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """What a repair came to."""

    rebuilt: int  #: fragments that were lost or damaged, and are on a node again
    placement: Placement  #: as it is now


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEntry:
    """One object in the list of what an account stored."""

    object_id: bytes
    size: int | None  #: unpadded bytes; None where the network tells only the space; stock DeOSS does so
    space: int  #: bytes that it takes of the territory, parity included


@dataclass(frozen=True, kw_only=True, slots=True)
class Fragment:
    """One fragment of a segment."""

    index: int  #: its row of the code; the first rows hold the content as it is
    digest: bytes  #: its SHA-256
    node: str  #: the storage node that is to hold it
    living: bool  #: it is there; of a checked one, with the right bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentFragments:
    """The fragments of one segment, by index."""

    digest: bytes  #: SHA-256 of the padded segment
    fragments: tuple[Fragment, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeState:
    """One storage node; what it did not tell is None."""

    node: str
    living: bool  #: it answers
    bytes_free: int | None
    bytes_used: int | None
    bytes_limit: int | None
    fragments: int | None
    corrupt: int | None  #: fragments that it found damaged and set aside
    draining: bool = False  #: it gets no more fragments, and those that it has move to others


@dataclass(frozen=True, kw_only=True, slots=True)
class SizedStream:
    """Content that comes in chunks, once, and how long it is."""

    chunks: AsyncIterable[bytes]
    size: int  #: bytes that will come; another number is an error


#: What can be stored. A stream is kept in an unnamed temporary file until the network has it.
Source: TypeAlias = Path | SizedStream


class ObjectStore(ABC):
    """Immutable objects, named by their file id; every whole read is checked against it.

    Objects are stored as they are: seal what is confidential before it comes here.
    """

    @abstractmethod
    async def put(self, source: Source, *, progress: Progress | None = None) -> bytes:
        """Store content as one object and return its 32-byte file id; storing it again changes nothing.

        Raises:
            InputEmpty: the content is empty.
            InputInvalid: it cannot be read, or is not as long as was said.
            ObjectTooLarge: it has more segments than an object may have.
            TerritoryUnusable: the account's territory is missing, expired or full.
            FileIdMismatch: the gateway computed another file id than we did.
            RateLimited: the gateway has no time for us.
            StorageUnreachable: the gateway did not answer within its deadline.
        """

    @abstractmethod
    async def read_range(self, object_id: bytes, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; for small ranges, the caller checks the digest.

        Raises:
            ObjectUnknown: no such object.
            FragmentsMissing: too many storage nodes are down or corrupt.
            RateLimited: the gateway has no time for us.
            StorageUnreachable: the gateway did not answer within its deadline.
        """

    @abstractmethod
    def stream_range(self, object_id: bytes, offset: int, length: int) -> AsyncGenerator[bytes]:
        """Yield exactly `length` bytes from `offset` in chunks of bounded size; errors as `read_range`."""

    @abstractmethod
    async def download(
        self, object_id: bytes, target: Path, *, progress: Progress | None = None, resume: bool = False
    ) -> int:
        """Write a whole object to a file, atomically, verified against its file id; return its size.

        With `resume`, what arrived stays beside the target when the download breaks off, and the next one
        with `resume` goes on after the last segment that it finds intact; one download at a time.

        Raises:
            Conflict: another download with `resume` of this object is under way in this folder.
            FileIdMismatch: what came is another object; nothing of it stays.
            DiskLow: it does not fit.
        """

    @abstractmethod
    async def stat(self, object_id: bytes) -> ObjectStat | None:
        """Return what the network knows of an object, or None."""

    @abstractmethod
    async def fragments(
        self, object_id: bytes, *, checked: bool = False
    ) -> tuple[SegmentFragments, ...] | None:
        """Return every segment's fragments; None where the network does not tell, as stock DeOSS.

        With `checked`, every node reads its fragments and hashes them, which takes its time.

        Raises:
            ObjectUnknown: no such object.
        """

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
    async def delete(self, object_id: bytes) -> bool:
        """Give an object up; False when it is not there. It stays for other accounts that stored it, too.

        Raises:
            Unauthorised: the account did not store it.
        """

    @abstractmethod
    def list(self, after: bytes | None = None) -> AsyncGenerator[StoredEntry]:
        """Yield what the account stored in its territory, ordered by object id, from behind `after` on."""

    @abstractmethod
    async def nodes(self) -> tuple[NodeState, ...] | None:
        """Return the storage nodes, ordered by name; None where the network does not tell, as CESS."""

    @abstractmethod
    async def territory(self) -> Territory | None:
        """Return the account's territory as it is now; None where the gateway does not tell, as stock DeOSS.

        Raises:
            TerritoryUnusable: the account has none of this name.
        """

    @abstractmethod
    async def close(self) -> None:
        """Release connections."""
