"""How the time for a Bundle grows with its entries."""

from __future__ import annotations

import json
import time
import uuid
from typing import Final

from tests.bench.validation.resources import small, verdict

SIZES: Final = (10, 100, 1_000, 10_000)


def bundle(size: int) -> bytes:
    """Return a collection of patients and of observations that refer to them."""
    patient = json.loads(next(one for one in small() if b'"Patient"' in one))
    observation = json.loads(next(one for one in small() if b'"Observation"' in one))
    entries = []
    for number in range(size // 2):
        place = f"urn:uuid:{uuid.UUID(int=number)}"
        entries.append({"fullUrl": place, "resource": {**patient, "id": f"p{number}"}})
        entries.append(
            {
                "fullUrl": f"urn:uuid:{uuid.UUID(int=size + number)}",
                "resource": {**observation, "id": f"o{number}", "subject": {"reference": place}},
            }
        )
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def seconds_per_entry(size: int, seconds: float) -> float:
    """Return the time of a core for each entry of a Bundle; the best of the runs within some seconds."""
    content, best, end = bundle(size), float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        begun = time.thread_time()
        verdict(content)
        best = min(best, time.thread_time() - begun)
    return best / size
