"""Anchored records and the objects that hold their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port.storage import Integrity, ProofCommitment, StorageHealth
    from caregrid.records import ObjectEntry, RecordFormat


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One anchored record, read from the chain."""

    record_id: bytes
    patient_id: bytes
    object_id: bytes
    offset: int
    length: int
    digest: bytes
    format: RecordFormat
    anchored_at: int  #: block number


@dataclass(frozen=True, kw_only=True, slots=True)
class Tombstone:
    """What is left of an erased record; its id is never used again."""

    record_id: bytes
    custodian: bytes  #: who erased it
    erased_at: int  #: block number


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveRecord:
    """A record together with who answers for it."""

    record: Record
    custodian: bytes


#: What stands under a record's id.
RecordView = LiveRecord | Tombstone


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordPage:
    """Some of a patient's records, and where to go on."""

    items: Sequence[bytes]  #: record ids
    next: bytes | None  #: pass as `after`; None means that there are no more


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """One anchored object, read from the chain."""

    entry: ObjectEntry
    custodian: bytes
    anchored_records: int  #: anchored, and neither erased nor moved elsewhere
    erased_records: int  #: erased, or moved elsewhere
    stored_at: int  #: block of its first record
    proof: ProofCommitment | None
    health: StorageHealth | None  #: the last report
    integrity: Integrity | None  #: the last report
