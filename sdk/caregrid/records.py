"""The values that describe a record and its object, shared by chain, proofs, storage and sidecar.

All ids and digests are raw bytes; all sizes are bytes of *sealed* content.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

RECORD_ID_LEN: Final = 16
PATIENT_ID_LEN: Final = 32
OBJECT_ID_LEN: Final = 32
DIGEST_LEN: Final = 32
ACCOUNT_LEN: Final = 32


class RecordFormat(IntEnum):
    """What the plaintext of a record is; the numbers are the variants' indexes on chain."""

    FHIR_R4_JSON = 0
    FHIR_R4B_JSON = 1
    FHIR_R5_JSON = 2
    DICOM = 3
    BINARY = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordEntry:
    """One record as it is anchored: where its sealed bytes lie and what they hash to."""

    record_id: bytes  #: 16 bytes, UUIDv7, chosen by the submitter: the idempotency key
    patient_id: bytes  #: 32 random bytes
    offset: int  #: first byte within the object
    length: int  #: sealed bytes, at least 1
    digest: bytes  #: SHA-256 of the sealed bytes
    format: RecordFormat

    def __post_init__(self) -> None:
        _require_length("record_id", self.record_id, RECORD_ID_LEN)
        _require_length("patient_id", self.patient_id, PATIENT_ID_LEN)
        _require_length("digest", self.digest, DIGEST_LEN)
        _require_u64("offset", self.offset)
        _require_u64("length", self.length)
        if self.length == 0:
            raise ValueError("length must be at least 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectEntry:
    """One stored object as it is anchored: a pack of records, or one large record."""

    object_id: bytes  #: CESS file id, 32 bytes
    size: int  #: unpadded size in bytes
    record_count: int  #: leaves of the manifest
    manifest_root: bytes  #: see :mod:`caregrid.proofs.manifest`

    def __post_init__(self) -> None:
        _require_length("object_id", self.object_id, OBJECT_ID_LEN)
        _require_length("manifest_root", self.manifest_root, DIGEST_LEN)
        _require_u64("size", self.size)
        if self.size == 0 or self.record_count < 1:
            raise ValueError("an object holds at least one byte and one record")


def _require_length(name: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise ValueError(f"{name} must be {length} bytes, not {len(value)}")


def _require_u64(name: str, value: int) -> None:
    if not 0 <= value < 1 << 64:
        raise ValueError(f"{name} must fit into 64 unsigned bits")
