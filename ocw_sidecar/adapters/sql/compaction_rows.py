"""Between the values of compaction and the database's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caregrid.records import RecordEntry, RecordFormat
from ocw_sidecar.adapters.sql.rows import from_ms
from ocw_sidecar.pipeline.compaction import Compaction, CompactionState, ErasedFrom, ResealRequest, Transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.adapters.sql.database import Row


def erased_from(row: Row) -> ErasedFrom:
    """Read an object."""
    return ErasedFrom(
        object_id=bytes(row["object"]), erased_at=from_ms(row["erased_at"]), attempts=row["attempts"]
    )


def compaction(row: Row) -> Compaction:
    """Read a plan without its records."""
    root = row["manifest_root"]
    return Compaction(
        compaction_id=bytes(row["id"]),
        state=CompactionState(row["state"]),
        size=row["size"],
        record_count=row["record_count"],
        object_id=None if row["object"] is None else bytes(row["object"]),
        manifest_root=None if root is None else bytes(root),
        attempts=row["attempts"],
    )


def transfer(row: Row) -> Transfer:
    """Read one record of a plan."""
    return Transfer(
        source=bytes(row["source"]),
        source_offset=row["source_offset"],
        source_digest=bytes(row["source_digest"]),
        target=RecordEntry(
            record_id=bytes(row["record"]),
            patient_id=bytes(row["patient"]),
            offset=row["position"],
            length=row["length"],
            digest=bytes(row["digest"]),
            format=RecordFormat(row["format"]),
        ),
        wrapped_key=None if row["wrapped"] is None else bytes(row["wrapped"]),
    )


def reseal_request(row: Row) -> ResealRequest:
    """Read a wish."""
    return ResealRequest(
        record_id=bytes(row["record"]),
        asked_at=from_ms(row["asked_at"]),
        done_at=None if row["done_at"] is None else from_ms(row["done_at"]),
        attempts=row["attempts"],
        reason=row["reason"],
    )


def compaction_parameters(compaction_id: bytes, transfers: Sequence[Transfer]) -> dict[str, Any]:
    """Return the parameters that write a plan."""
    return {
        "id": compaction_id,
        "size": sum(each.target.length for each in transfers),
        "record_count": len(transfers),
    }


def transfer_parameters(compaction_id: bytes, each: Transfer) -> dict[str, Any]:
    """Return the parameters that write one record of a plan."""
    return {
        "compaction": compaction_id,
        "record": each.record_id,
        "patient": each.target.patient_id,
        "format": int(each.target.format),
        "source": each.source,
        "source_offset": each.source_offset,
        "source_digest": each.source_digest,
        "position": each.target.offset,
        "length": each.target.length,
        "wrapped": each.wrapped_key,
    }
