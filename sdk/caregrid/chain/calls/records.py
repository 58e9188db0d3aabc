"""Anchoring and erasing records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.chain.calls import params
from caregrid.chain.port import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.records import ObjectEntry, RecordEntry


def store_emr(organisation: bytes, entry: ObjectEntry, record: RecordEntry) -> Call:
    """Anchor one record; fails as a whole when the chain cannot take it."""
    return Call(
        pallet="Emr",
        function="store_emr",
        params={
            "organisation": params.account("organisation", organisation),
            "object": params.stored_object(entry),
            "record": params.record(record),
        },
    )


def store_emr_batch(organisation: bytes, entry: ObjectEntry, records: Sequence[RecordEntry]) -> Call:
    """Anchor up to `MAX_BATCH` records of one object; the chain leaves out those it cannot take."""
    return Call(
        pallet="Emr",
        function="store_emr_batch",
        params={
            "organisation": params.account("organisation", organisation),
            "object": params.stored_object(entry),
            "records": [params.record(record) for record in params.batch("records", records)],
        },
    )


def move_records(organisation: bytes, entry: ObjectEntry, records: Sequence[RecordEntry]) -> Call:
    """Say that up to `MAX_BATCH` anchored records lie in another object now, sealed anew or not.

    The chain leaves out those it cannot move: `RecordInPlace` for one that stands so already.
    """
    return Call(
        pallet="Emr",
        function="move_records",
        params={
            "organisation": params.account("organisation", organisation),
            "object": params.stored_object(entry),
            "records": [params.record(record) for record in params.batch("records", records)],
        },
    )


def erase_record(organisation: bytes, record_id: bytes) -> Call:
    """Erase a record and every grant on it; its id is never used again."""
    return Call(
        pallet="Emr",
        function="erase_record",
        params={
            "organisation": params.account("organisation", organisation),
            "record": params.record_id(record_id),
        },
    )
