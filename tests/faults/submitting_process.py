"""Submits a batch of records, says so as soon as the node has it, and waits for its end; run as a program.

    python -m tests.faults.submitting_process URL SECRET-URI BATCH

BATCH is what `batch` makes a call of, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from caregrid.chain import calls, flights
from caregrid.keys import Identity
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat
from tests.faults.remarks import submitter

if TYPE_CHECKING:
    from caregrid.chain import Call

SENT = "sent"


def batch(organisation: bytes, patient: bytes, object_id: bytes, record_ids: list[bytes]) -> Call:
    """Return the call that anchors records."""
    count = len(record_ids)
    entry = ObjectEntry(object_id=object_id, size=count * 100, record_count=count, manifest_root=bytes(32))
    records = [
        RecordEntry(
            record_id=record_id,
            patient_id=patient,
            offset=100 * position,
            length=100,
            digest=bytes(32),
            format=RecordFormat.FHIR_R4_JSON,
        )
        for position, record_id in enumerate(record_ids)
    ]
    return calls.store_emr_batch(organisation, entry, records)


async def _main(url: str, uri: str, described: dict[str, Any]) -> None:
    offer = flights.offer

    def offer_and_say_so(client: Any, raw: bytes) -> None:
        offer(client, raw)
        print(SENT, flush=True)  # noqa: T201 - it has nothing else to tell by

    flights.offer = offer_and_say_so
    own = submitter(Identity.from_uri(uri), url)
    fields = {name: bytes.fromhex(described[name]) for name in ("organisation", "patient", "object_id")}
    await own.submit(batch(**fields, record_ids=[bytes.fromhex(one) for one in described["record_ids"]]))
    await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
