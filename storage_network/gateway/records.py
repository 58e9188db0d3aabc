"""The values that the gateway keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caregrid.storage.file_id import SEGMENT_SIZE

#: What a segment takes: 12 fragments of 8 MiB.
SEGMENT_SPACE: Final = 3 * SEGMENT_SIZE


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """An account that stored an object, and under which name."""

    account: bytes
    name: str
    territory: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedFragment:
    """One fragment and the node that keeps it."""

    digest: bytes
    node: str


#: The 12 fragments of one segment, in the order of their indexes.
PlacedSegment = tuple[PlacedFragment, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """One object and where its fragments are."""

    fid: bytes
    size: int
    segments: tuple[PlacedSegment, ...]
    digests: tuple[bytes, ...] = ()  #: of the segments; empty for objects of before they were noted


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnedObject:
    """One entry in the list of an account's objects."""

    fid: bytes
    size: int
    territory: str


def space_of(size: int) -> int:
    """Return the bytes of space that an object of `size` bytes takes of a territory."""
    return -(-size // SEGMENT_SIZE) * SEGMENT_SPACE
