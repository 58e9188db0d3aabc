"""Callers: how fast they are acknowledged, and how long after that their records are final."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.sidecar.site import Site

#: The longest that anything here waits for one answer.
_TIMEOUT: Final = aiohttp.ClientTimeout(total=900)
_POLL_S: Final = 0.25
#: No observation is measured twice: what says the same as a final record becomes none.
_NUMBERS: Final = itertools.count()
#: What is under way, by kind and state.
_OPEN: Final = {
    ("submission", "received"),
    *(("record", state) for state in ("sealed", "packed", "stored", "anchored")),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Burst:
    """Many submissions at once."""

    acknowledged_s: float  #: until the last answer
    final_s: float  #: until the last record was confirmed
    records: int


def observation(number: int) -> dict[str, Any]:
    """Return a small resource that conforms, each another one: some 700 bytes."""
    return {
        "resourceType": "Observation",
        "id": f"bench-{number}",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "vital-signs",
                    }
                ]
            }
        ],
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "29463-7", "display": "Body weight"}],
            "text": "Body weight",
        },
        "subject": {"reference": "Patient/bench"},
        "effectiveDateTime": "2026-03-01T08:30:00+01:00",
        "valueQuantity": {
            "value": 60 + number % 40,
            "unit": "kg",
            "system": "http://unitsofmeasure.org",
            "code": "kg",
        },
        "note": [{"text": f"Measured by the bench, number {number}, on the scale of the ward."}],
    }


async def singles(site: Site, count: int, callers: int) -> float:
    """Return the seconds until so many requests, one resource each, are acknowledged."""
    numbers = itertools.islice(_NUMBERS, count)
    async with _session(site) as session:
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(_submit_all(session, site, numbers))
        return time.perf_counter() - begun


async def burst(site: Site, count: int, batches: int) -> Burst:
    """Submit so many resources in some NDJSON requests at once, and wait until all are final."""
    numbers = list(itertools.islice(_NUMBERS, count))
    bodies = [_lines(site, numbers[start::batches]) for start in range(batches)]
    async with _session(site) as session:
        await _settle(session, site)
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for body in bodies:
                group.create_task(_submit_batch(session, site, body))
        acknowledged_s = time.perf_counter() - begun
        await _settle(session, site)
        return Burst(acknowledged_s=acknowledged_s, final_s=time.perf_counter() - begun, records=count)


async def steady(site: Site, count: int, rate: float) -> list[float]:
    """Submit at a steady rate; return for each record the seconds from acknowledgement to finality."""
    async with _session(site) as session, asyncio.TaskGroup() as group:
        begun = time.perf_counter()
        tasks = []
        for number in range(count):
            await asyncio.sleep(begun + number / rate - time.perf_counter())
            tasks.append(group.create_task(_follow(session, site, next(_NUMBERS))))
    return [task.result() for task in tasks]


def percentile(values: list[float], part: float) -> float:
    """Return the value that so large a part of all stays below."""
    return statistics.quantiles(values, n=1000, method="inclusive")[round(part * 1000) - 1]


async def _submit_all(session: aiohttp.ClientSession, site: Site, numbers: Iterator[int]) -> None:
    for number in numbers:
        await _submit(session, site, number)


async def _submit(session: aiohttp.ClientSession, site: Site, number: int) -> str:
    headers = {"X-CareGrid-Patient": site.patient_id.hex(), "Content-Type": "application/fhir+json"}
    body = json.dumps(observation(number)).encode()
    async with session.post(f"{site.url}/v1/submissions", data=body, headers=headers) as answer:
        answer.raise_for_status()
        return str((await answer.json())["submission"])


async def _submit_batch(session: aiohttp.ClientSession, site: Site, body: bytes) -> None:
    headers = {"Content-Type": "application/x-ndjson"}
    async with session.post(f"{site.url}/v1/batches", data=body, headers=headers) as answer:
        answer.raise_for_status()
        async for line in answer.content:
            assert "submission" in json.loads(line), line


async def _follow(session: aiohttp.ClientSession, site: Site, number: int) -> float:
    submission = await _submit(session, site, number)
    acknowledged = time.perf_counter()
    while True:
        async with session.get(f"{site.url}/v1/submissions/{submission}", params={"wait": "50"}) as answer:
            answer.raise_for_status()
            found = await answer.json()
        if found["settled"]:
            assert ["confirmed"] == [record["state"] for record in found["records"]], found
            return time.perf_counter() - acknowledged


async def _settle(session: aiohttp.ClientSession, site: Site) -> None:
    """Wait until nothing is under way."""
    while await _open_items(session, site):  # noqa: ASYNC110 - another process tells
        await asyncio.sleep(_POLL_S)


async def _open_items(session: aiohttp.ClientSession, site: Site) -> int:
    async with session.get(f"{site.url}/metrics") as answer:
        text = await answer.text()
    found = 0
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        kind, state = (re.search(f'{key}="([a-z]+)"', name) for key in ("kind", "state"))
        if name.startswith("caregrid_items{") and kind and state and (kind[1], state[1]) in _OPEN:
            found += int(float(value))
    return found


def _lines(site: Site, numbers: Sequence[int]) -> bytes:
    patient = site.patient_id.hex()
    lines = [json.dumps({"patient": patient, "resource": observation(number)}) for number in numbers]
    return "\n".join([*lines, ""]).encode()


def _session(site: Site) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {site.token}"}
    return aiohttp.ClientSession(connector=connector, headers=headers, timeout=_TIMEOUT)
