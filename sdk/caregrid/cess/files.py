"""Files and what happens to them: the pallet `FileBank`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from caregrid.cess import scale
from caregrid.cess.keys import MAX_TERRITORY_NAME
from caregrid.cess.scale import Malformed
from caregrid.storage.file_id import DATA_SHARDS, MAX_SEGMENTS, PARITY_SHARDS

if TYPE_CHECKING:
    from caregrid.cess.scale import Cursor

PALLET: Final = "FileBank"
#: Accounts that may own one file.
MAX_OWNERS: Final = 50_000
#: Files that one account may own.
MAX_HELD: Final = 500_000

_FRAGMENTS: Final = DATA_SHARDS + PARITY_SHARDS
_MAX_FILE_NAME: Final = 63


class FileState(StrEnum):
    """What CESS calls a file's state; this version never leaves the first."""

    ACTIVE = "active"
    CALCULATE = "calculate"
    MISSING = "missing"
    RECOVERY = "recovery"


@dataclass(frozen=True, kw_only=True, slots=True)
class CessFragment:
    """One fragment that a miner has reported to hold."""

    digest: bytes
    available: bool  #: False from the holder's own report of a loss to its restoral
    tag_block: int | None  #: since when it is audited; None while the holder has no tag for it
    miner: bytes  #: the holder's account


@dataclass(frozen=True, kw_only=True, slots=True)
class CessSegment:
    """One segment with its twelve fragments, by index."""

    digest: bytes
    fragments: tuple[CessFragment, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FileOwner:
    """One of a file's owners. Names are as the owner chose them, so they stay out of texts and logs."""

    account: bytes
    file_name: bytes = field(repr=False)
    territory: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class CessFile:
    """A file that all twelve miners have reported."""

    segments: tuple[CessSegment, ...]
    owners: tuple[FileOwner, ...]
    size: int  #: unpadded bytes, as the first owner declared them
    completion: int  #: the block of the twelfth report
    state: FileState


@dataclass(frozen=True, kw_only=True, slots=True)
class DealSegment:
    """A segment as it was declared."""

    digest: bytes
    fragments: tuple[bytes, ...]  #: their digests, by index


@dataclass(frozen=True, kw_only=True, slots=True)
class DealReport:
    """A miner's report that it holds its fragments."""

    index: int  #: 1 to 12: which fragment of every segment
    miner: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Deal:
    """A file that was declared, and that not all miners have reported yet."""

    segments: tuple[DealSegment, ...]
    owner: FileOwner
    size: int  #: unpadded bytes, as declared
    reports: tuple[DealReport, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldFile:
    """One entry in the list of an account's files."""

    file_id: bytes
    territory: bytes = field(repr=False)
    space: int  #: bytes that it takes of the territory: 96 MiB a segment


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoralOrder:
    """A fragment that its holder has lost, and that another miner may take over."""

    claims: int  #: how often it was claimed
    miner: bytes  #: who claimed it last; the holder while nobody has
    origin: bytes  #: who lost it
    fragment: bytes
    file_id: bytes
    created: int  #: block
    deadline: int  #: the block up to which the claim stands; 0 while nobody has claimed it


def read_file(cursor: Cursor) -> CessFile:
    """Read a value of `File`."""
    return CessFile(
        segments=cursor.sequence(MAX_SEGMENTS, _segment),
        owners=cursor.sequence(MAX_OWNERS, _owner),
        size=scale.amount(cursor),
        completion=scale.block_number(cursor),
        state=tuple(FileState)[cursor.index(len(FileState))],
    )


def read_deal(cursor: Cursor) -> Deal:
    """Read a value of `DealMap`."""
    size = scale.amount(cursor)
    return Deal(
        segments=cursor.sequence(MAX_SEGMENTS, _deal_segment),
        owner=_owner(cursor),
        size=size,
        reports=cursor.sequence(_FRAGMENTS, _report),
    )


def read_held(cursor: Cursor) -> tuple[HeldFile, ...]:
    """Read a value of `UserHoldFileList`."""
    return cursor.sequence(MAX_HELD, _held)


def read_restoral_order(cursor: Cursor) -> RestoralOrder:
    """Read a value of `RestoralOrder`."""
    return RestoralOrder(
        claims=cursor.unsigned(4),
        miner=scale.account(cursor),
        origin=scale.account(cursor),
        fragment=cursor.hash_text(),
        file_id=cursor.hash_text(),
        created=scale.block_number(cursor),
        deadline=scale.block_number(cursor),
    )


def _segment(cursor: Cursor) -> CessSegment:
    digest, fragments = cursor.hash_text(), cursor.sequence(_FRAGMENTS, _fragment)
    if len(fragments) != _FRAGMENTS:
        raise Malformed
    return CessSegment(digest=digest, fragments=fragments)


def _fragment(cursor: Cursor) -> CessFragment:
    return CessFragment(
        digest=cursor.hash_text(),
        available=cursor.boolean(),
        tag_block=cursor.option(scale.block_number),
        miner=scale.account(cursor),
    )


def _owner(cursor: Cursor) -> FileOwner:
    return FileOwner(
        account=scale.account(cursor),
        file_name=cursor.vector(_MAX_FILE_NAME),
        territory=cursor.vector(MAX_TERRITORY_NAME),
    )


def _deal_segment(cursor: Cursor) -> DealSegment:
    digest = cursor.hash_text()
    fragments = cursor.sequence(_FRAGMENTS, lambda inner: inner.hash_text())
    if len(fragments) != _FRAGMENTS:
        raise Malformed
    return DealSegment(digest=digest, fragments=fragments)


def _report(cursor: Cursor) -> DealReport:
    index = cursor.unsigned(1)
    if not 0 < index <= _FRAGMENTS:
        raise Malformed
    return DealReport(index=index, miner=scale.account(cursor))


def _held(cursor: Cursor) -> HeldFile:
    territory = cursor.vector(MAX_TERRITORY_NAME)
    return HeldFile(territory=territory, file_id=cursor.hash_text(), space=scale.amount(cursor))
