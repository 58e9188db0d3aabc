"""An object's manifest: the Merkle tree over its records, whose root stands on chain.

A leaf is 97 bytes without separators, its integers little-endian: record id (16) | patient id (32) |
offset (u64) | length (u64) | digest (32) | format (u8). Leaves stand in the order of the records in the
object. Tree and proofs are those of RFC 9162, section 2.1.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputEmpty, InputInvalid
from caregrid.proofs import merkle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.records import RecordEntry

_LEAF: Final = struct.Struct("<16s32sQQ32sB")
LEAF_LEN: Final = _LEAF.size


def leaf_bytes(entry: RecordEntry) -> bytes:
    """Return the 97 bytes that stand for a record in its object's manifest."""
    return _LEAF.pack(
        entry.record_id, entry.patient_id, entry.offset, entry.length, entry.digest, entry.format
    )


def manifest_root(entries: Sequence[RecordEntry]) -> bytes:
    """Return the 32-byte root over an object's records, in their order.

    Raises:
        InputEmpty: there is no record.
    """
    return merkle.root(_leaf_hashes(entries))


def inclusion_proof(entries: Sequence[RecordEntry], index: int) -> list[bytes]:
    """Return the hashes that prove record `index` to be in the object, from the leaf upwards.

    Raises:
        InputEmpty: there is no record.
        InputInvalid: there is no record with this index.
    """
    hashes = _leaf_hashes(entries)
    if not 0 <= index < len(hashes):
        raise InputInvalid(f"pass an index from 0 to {len(hashes) - 1}; the object holds no other record")
    return merkle.inclusion_path(hashes, index)


def verify_inclusion(entry: RecordEntry, index: int, count: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether the proof shows `entry` to be record `index` of the `count` under `root`.

    Takes untrusted input: anything malformed is a plain no.
    """
    if not 0 <= index < count:
        return False
    return merkle.root_from_path(merkle.leaf_hash(leaf_bytes(entry)), index, count, proof) == root


def _leaf_hashes(entries: Sequence[RecordEntry]) -> list[bytes]:
    if not entries:
        raise InputEmpty("an object holds at least one record; there is nothing to make a manifest of")
    return [merkle.leaf_hash(leaf_bytes(entry)) for entry in entries]
