"""The example files are what the script makes, and the validator accepts all of them but one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from caregrid.fhir import FhirValidator, is_bundle, split_bundle
from caregrid.records import RecordFormat
from example_data import imaging
from example_data.story import bundle_bytes

ROOT = Path(__file__).resolve().parents[3]
BUNDLE = ROOT / "examples" / "synthetic-patient-bundle.json"


@pytest.fixture(scope="module", name="resources")
def split_example() -> list[bytes]:
    """The resources of the example bundle."""
    return [part for part in split_bundle(BUNDLE.read_bytes()) if part is not None]


def test_bundle_in_the_repository_is_what_the_script_makes() -> None:
    """Nobody edits the generated file by hand, and the script depends on nothing that changes."""
    assert bundle_bytes() == BUNDLE.read_bytes()


def test_bundle_is_one_varied_patient(resources: list[bytes]) -> None:
    """The example has one patient and is large and varied enough to try the whole system on."""
    kinds = Counter(json.loads(resource)["resourceType"] for resource in resources)
    assert is_bundle(BUNDLE.read_bytes())
    assert kinds["Patient"] == 1
    assert (len(resources), len(kinds)) == (114, 23)


def test_exactly_the_haemolysed_sample_is_rejected(resources: list[bytes]) -> None:
    """The validator refuses the one invalid resource, for the reason it was made invalid, and no other."""
    validator = FhirValidator()
    verdicts = [validator.validate(resource, RecordFormat.FHIR_R4_JSON) for resource in resources]
    rejected = [index for index, verdict in enumerate(verdicts) if not verdict.valid]
    assert rejected == [98]
    (issue,) = [one for one in verdicts[98].outcome["issue"] if one["severity"] == "error"]
    assert (issue["code"], issue["expression"]) == ("structure", ["Observation.valueQuantity.value"])


def test_references_stay_inside_the_bundle() -> None:
    """Every reference names the full URL of an entry of the same bundle, and no URL is used twice."""
    bundle = json.loads(BUNDLE.read_bytes())
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    assert _references(bundle) <= set(urls)


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return {found for item in value for found in _references(item)}
    if isinstance(value, dict):
        own = {value["reference"]} if isinstance(value.get("reference"), str) else set()
        return own | {found for item in value.values() for found in _references(item)}
    return set()


def test_requests_fit_their_resources() -> None:
    """A PUT names its resource's id and a POST its kind, as a FHIR server requires of a transaction."""
    for entry in json.loads(BUNDLE.read_bytes())["entry"]:
        resource, request = entry["resource"], entry["request"]
        kind = resource["resourceType"]
        wanted = {"POST": kind, "PUT": f"{kind}/{resource.get('id')}"}
        assert wanted[request["method"]] == request["url"]


def test_every_resource_is_marked_as_test_data(resources: list[bytes]) -> None:
    """Whoever receives the example can tell it from a real patient."""
    for resource in resources:
        assert json.loads(resource)["meta"]["tag"][0]["code"] == "HTEST"


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 4_000, 3 << 20])
def test_imaging_like_has_the_size_asked_for(tmp_path: Path, size: int) -> None:
    """The scan is exactly as large as asked, is the same each time, and passes as DICOM."""
    first, second = tmp_path / "first.dcm", tmp_path / "second.dcm"
    imaging.imaging_like(first, size)
    imaging.imaging_like(second, size)
    content = first.read_bytes()
    assert len(content) == size
    assert content == second.read_bytes()
    assert FhirValidator().validate(content, RecordFormat.DICOM).valid


def test_imaging_like_varies_from_frame_to_frame() -> None:
    """The frames differ, so that the scan is not one block repeated."""
    frames = list(imaging.image_frames(4))
    assert len({*frames}) == 4
    assert {len(frame) for frame in frames} == {imaging.FRAME_BYTES}


@pytest.mark.parametrize("size", [1_000, (1 << 20) + 1])
def test_imaging_like_refuses_impossible_sizes(tmp_path: Path, size: int) -> None:
    """A size without room for a frame, or an odd one, is refused and leaves no file."""
    target = tmp_path / "scan.dcm"
    with pytest.raises(ValueError, match="size must be even and at least"):
        imaging.imaging_like(target, size)
    assert not target.exists()
