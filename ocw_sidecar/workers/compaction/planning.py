"""What goes into one new object, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.records import RecordEntry
from ocw_sidecar.pipeline.compaction import Transfer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from caregrid.chain.port import Record
    from ocw_sidecar.workers.compaction.survey import Remnant


class Load:
    """What is together so far, within the bounds of one object."""

    def __init__(self, *, size: int, records: int) -> None:
        """Set the bounds; the first item is taken whatever they are."""
        self._size_left, self._records_left = size, records
        self.records: list[Record] = []

    def take(self, records: Sequence[Record]) -> bool:
        """Add records that stay together; False, and nothing is added, when there is no room."""
        size = sum(record.length for record in records)
        if self.records and (size > self._size_left or len(records) > self._records_left):
            return False
        self.records += records
        self._size_left -= size
        self._records_left -= len(records)
        return True


def shared(remnants: Iterable[Remnant], load: Load) -> list[Remnant]:
    """Fill a load with remnants that fit together; return those that came in."""
    return [remnant for remnant in remnants if load.take(remnant.records)]


def transfers(records: Sequence[Record], new_keys: Mapping[bytes, bytes] | None = None) -> list[Transfer]:
    """Give records their places, one behind the other.

    Args:
        records: in this order.
        new_keys: wrapped data keys by record id, of records that are to be sealed anew.
    """
    planned, offset = list[Transfer](), 0
    for record in records:
        target = RecordEntry(
            record_id=record.record_id,
            patient_id=record.patient_id,
            offset=offset,
            length=record.length,
            digest=record.digest,
            format=record.format,
        )
        offset += record.length
        planned.append(
            Transfer(
                source=record.object_id,
                source_offset=record.offset,
                source_digest=record.digest,
                target=target,
                wrapped_key=(new_keys or {}).get(record.record_id),
            )
        )
    return planned


def neighbours(planned: Sequence[Transfer]) -> list[list[Transfer]]:
    """Return a plan cut into runs that one read of a source covers; who is sealed anew comes alone."""
    runs: list[list[Transfer]] = []
    for each in planned:
        if runs and _follows(runs[-1][-1], each):
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _follows(last: Transfer, each: Transfer) -> bool:
    copied = last.wrapped_key is None and each.wrapped_key is None
    adjacent = last.source_offset + last.target.length == each.source_offset
    return copied and adjacent and last.source == each.source
