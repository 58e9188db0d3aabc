"""The worker that judges what came in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from caregrid.records import RecordFormat
from ocw_sidecar import operating
from ocw_sidecar.pipeline.intake import Offer
from ocw_sidecar.pipeline.states import RecordState
from ocw_sidecar.testing import PATIENT
from ocw_sidecar.workers.validation import ValidationStep
from tests.unit.sidecar.worker_world import Working, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

VALID = b'{"resourceType": "Observation", "status": "final", "code": {"text": "Heart rate"}}'
INVALID = b'{"resourceType": "Observation", "status": "no such"}'
ENTRY = b'{"fullUrl": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e30094%04d", "resource": %%b}'
BUNDLE = b'{"resourceType": "Bundle", "type": "collection", "entry": [%b, %b]}' % (ENTRY % 1, ENTRY % 2)


async def submit(sidecar: Working, content: bytes) -> bytes:
    """Hand in FHIR."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    offer = Offer(
        patient_id=PATIENT, format=RecordFormat.FHIR_R4_JSON, announced=len(content), idempotency=None
    )
    return (await sidecar.rig.intake.take(offer, chunks())).submission_id


async def states(sidecar: Working, submission: bytes) -> list[RecordState]:
    """Return how a submission's records are."""
    return [record.state for record in await sidecar.rig.bench.queue.records_of(submission)]


async def test_a_run_keeps_to_its_batch(tmp_path: Path) -> None:
    """So many submissions, the others in the next runs."""
    async with working(tmp_path, workers={"validation": {"batch": 2}}) as sidecar:
        for _ in range(5):
            await submit(sidecar, VALID)
        step = ValidationStep(sidecar.rig.bench)
        assert [2, 2, 1, 0] == [await step.run_once() for _ in range(4)]


async def test_verdicts_are_counted(tmp_path: Path) -> None:
    """By record, a Bundle's entries too; what cannot be judged now is none."""
    registry = CollectorRegistry()
    async with working(tmp_path) as sidecar:
        for content in (VALID, INVALID, BUNDLE % (VALID, INVALID), VALID):
            await submit(sidecar, content)
        await ValidationStep(sidecar.rig.bench, registry).run_once()
    counted = {
        verdict: registry.get_sample_value("caregrid_validation_records_total", {"verdict": verdict})
        for verdict in ("accepted", "rejected")
    }
    assert {"accepted": 3.0, "rejected": 2.0} == counted


async def test_as_many_texts_as_are_allowed_are_judged_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of long ones a single one; the settings say what is long."""
    for large, expected in (("1MiB", 3), ("10B", 1)):
        async with working(
            tmp_path / large, workers={"validation": {"at_once": 3, "large_text": large}}
        ) as sidecar:
            counter = Counter()
            monkeypatch.setattr(asyncio, "to_thread", counter.to_thread)
            for _ in range(8):
                await submit(sidecar, VALID)
            await ValidationStep(sidecar.rig.bench).run_once()
            monkeypatch.undo()
            assert expected == counter.most


class Counter:
    """Notes how many judgements overlap."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def to_thread(self, work: Any, *arguments: Any) -> Any:
        """Do some work, not at once."""
        judging = getattr(work, "__name__", "") == "_judge"
        self.now += judging
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.005)
        self.now -= judging
        return work(*arguments)


async def test_it_runs_once_when_asked(tmp_path: Path) -> None:
    """Without a daemon: what waits is judged and goes no further; the run stands in the status."""
    async with working(tmp_path) as sidecar:
        valid, invalid = await submit(sidecar, VALID), await submit(sidecar, INVALID)
        settings, ports = sidecar.rig.bench.settings, sidecar.rig.bench.ports
    done = await operating.run_once(settings, "validation", timeout_s=20, ports=ports)
    assert ({"items": 2}, None, False) == (done.items, done.reason, done.by_daemon)
    async with working(tmp_path, sidecar.world) as again:
        assert [RecordState.SEALED] == await states(again, valid)
        assert [RecordState.REJECTED] == await states(again, invalid)
