"""A Bundle becomes records of its entries: each once, byte for byte, with what their references mean."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.fhir import BundleVerdict, FhirValidator, Validator, Verdict
from caregrid.records import RecordFormat
from caregrid.sealed import open_sealed
from ocw_sidecar.pipeline.items import (
    AcceptedWhole,
    DuplicatePart,
    InRow,
    Parts,
    RejectedPart,
    RejectedWhole,
    SealedPart,
)
from ocw_sidecar.pipeline.splitting import judge_resource
from ocw_sidecar.pipeline.spool import Spool
from ocw_sidecar.testing import memory_world

if TYPE_CHECKING:
    from pathlib import Path

    from ocw_sidecar.pipeline.items import Verdict as Outcome
    from ocw_sidecar.ports import Ports

R4 = RecordFormat.FHIR_R4_JSON
URLS = [f"urn:uuid:61ebe359-bfdc-4613-8bf2-c5e30094{number:04}" for number in range(4)]
PATIENT: dict[str, Any] = {"resourceType": "Patient", "active": True}


def observation(subject: str, value: str = "x") -> dict[str, Any]:
    """Return an observation of somebody."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": subject},
        "valueString": value,
    }


def bundle(*resources: dict[str, Any], **more: Any) -> bytes:
    """Return a collection of resources, each with a URL of its own."""
    entries = [{"fullUrl": url, "resource": one} for url, one in zip(URLS, resources, strict=False)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries, **more}).encode()


@pytest.fixture
async def ports() -> Ports:
    """The outside world, with the real validator."""
    return (await memory_world()).ports


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Where large records would go."""
    return Spool(tmp_path)


def opened(part: SealedPart, ports: Ports) -> Any:
    """Return the resource of a part."""
    assert isinstance(part.payload, InRow)
    key = ports.key_store.unwrap(part.record_id, part.wrapped_key)
    return json.loads(open_sealed(key, part.record_id, part.payload.body))


def sealed(outcome: Outcome) -> list[SealedPart]:
    """Return the parts that are stored."""
    assert isinstance(outcome, Parts)
    return [part for part in outcome.parts if isinstance(part, SealedPart)]


async def test_references_between_entries_are_kept(ports: Ports, spool: Spool) -> None:
    """A Provenance behind the records says which record each URL of the Bundle became."""
    resources = [PATIENT, observation(URLS[0])]
    parts = sealed(judge_resource(bundle(*resources), R4, ports, spool))
    *records, provenance = [opened(part, ports) for part in parts]
    assert resources == records
    named = {one["identifier"]["value"]: one["reference"] for one in provenance["target"]}
    expected = [f"urn:uuid:{uuid.UUID(bytes=part.record_id)}" for part in parts[:2]]
    assert dict(zip(URLS, expected, strict=False)) == named


async def test_no_provenance_without_references(ports: Ports, spool: Spool) -> None:
    """Records that refer to nothing in the Bundle need no explanation."""
    outcome = judge_resource(bundle(PATIENT, observation("Patient/1")), R4, ports, spool)
    assert len(sealed(outcome)) == 2


async def test_entries_that_say_the_same_are_stored_once(ports: Ports, spool: Spool) -> None:
    """The second names the record of the first, and references to it lead there."""
    again = dict(reversed(PATIENT.items()))
    outcome = judge_resource(bundle(PATIENT, again, observation(URLS[1])), R4, ports, spool)
    assert isinstance(outcome, Parts)
    first, second, _, provenance = outcome.parts
    assert isinstance(first, SealedPart)
    assert isinstance(second, DuplicatePart)
    assert first.record_id == second.original
    assert isinstance(provenance, SealedPart)
    (issue,) = second.outcome["issue"]
    assert (issue["severity"], issue["code"]) == ("information", "duplicate")
    assert "entry 0" in issue["details"]["text"]
    named = {one["identifier"]["value"]: one["reference"] for one in opened(provenance, ports)["target"]}
    assert named[URLS[0]] == named[URLS[1]] == f"urn:uuid:{uuid.UUID(bytes=first.record_id)}"


async def test_provenance_is_valid(ports: Ports, spool: Spool) -> None:
    """What is added to the sender's records would itself pass."""
    *_, provenance = sealed(judge_resource(bundle(PATIENT, observation(URLS[0])), R4, ports, spool))
    verdict = FhirValidator().validate(json.dumps(opened(provenance, ports)).encode(), R4)
    assert verdict.valid, verdict.outcome


async def test_invalid_entry_is_refused_alone(ports: Ports, spool: Spool) -> None:
    """The others are stored; the refused one is in no map of URLs."""
    outcome = judge_resource(
        bundle(PATIENT, {**PATIENT, "gender": "x"}, observation(URLS[0])), R4, ports, spool
    )
    assert isinstance(outcome, Parts)
    assert [SealedPart, RejectedPart, SealedPart, SealedPart] == [type(part) for part in outcome.parts]
    named = {one["identifier"]["value"] for one in opened(sealed(outcome)[-1], ports)["target"]}
    assert {URLS[0], URLS[2]} == named


async def test_fault_of_the_bundle_refuses_all(ports: Ports, spool: Spool) -> None:
    """A Bundle that is none by FHIR's rules becomes no records."""
    outcome = judge_resource(bundle(PATIENT, bogus=1), R4, ports, spool)
    assert isinstance(outcome, RejectedWhole)


async def test_document_stays_whole(ports: Ports, spool: Spool) -> None:
    """What means something as a whole only is judged, and kept, as one."""
    outcome = judge_resource(bundle({**PATIENT, "id": "1"}, type="searchset"), R4, ports, spool)
    assert isinstance(outcome, AcceptedWhole)


class Alone(Validator):
    """A validator that knows nothing of Bundles."""

    def validate(self, content: bytes, record_format: RecordFormat) -> Verdict:
        """Find everything valid but what says otherwise."""
        del record_format
        return Verdict(valid=b"bad" not in content, outcome={}, resource_type=None)


def test_any_validator_judges_bundles() -> None:
    """One that looks at resources only judges each by itself."""
    verdict: BundleVerdict = Alone().validate_bundle(b"", [], R4)
    assert (verdict.bundle.valid, verdict.entries) == (True, [])
