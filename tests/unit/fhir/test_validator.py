"""The validator says what is wrong, where, and by which rule; of all that goes through it, not only FHIR."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.errors import DefinitionUnusable, InputInvalid
from caregrid.fhir import FhirValidator, Profiles, Verdict, bundle_entries, validate
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from pathlib import Path

R4, R4B, R5 = RecordFormat.FHIR_R4_JSON, RecordFormat.FHIR_R4B_JSON, RecordFormat.FHIR_R5_JSON
VALIDATOR = FhirValidator()
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "x"},
    "valueString": "y",
}
LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"
COLUMN = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col"


def judge(resource: Any, record_format: RecordFormat = R4) -> Verdict:
    """Return the verdict on a value written as JSON."""
    return VALIDATOR.validate(json.dumps(resource).encode(), record_format)


def errors(verdict: Verdict) -> list[tuple[str, str]]:
    """Return issue type and path of each error."""
    grave = [issue for issue in verdict.outcome["issue"] if issue["severity"] in {"error", "fatal"}]
    return [(issue["code"], issue.get("expression", [""])[0]) for issue in grave]


@pytest.mark.parametrize("record_format", [R4, R4B, R5])
def test_sound_resource_passes(record_format: RecordFormat) -> None:
    """A sound resource is valid in every release, and its kind is told."""
    verdict = judge(OBSERVATION, record_format)
    assert errors(verdict) == []
    assert (verdict.valid, verdict.resource_type) == (True, "Observation")
    assert verdict.outcome["resourceType"] == "OperationOutcome"
    assert verdict.outcome["issue"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"staus": "final"}, "Observation"),
        ({"fhir_comments": "x"}, "Observation"),
        ({"status": None}, "Observation.status"),
        ({"status": ["final"]}, "Observation.status"),
        ({"status": "done"}, "Observation.status"),
        ({"status": ""}, "Observation.status"),
        ({"code": {}}, "Observation.code"),
        ({"code": '{"text":"x"}'}, "Observation.code"),
        ({"note": {"text": "x"}}, "Observation.note"),
        ({"note": []}, "Observation.note"),
        ({"note": [{"time": "2020-01-01"}]}, "Observation.note[0]"),
        ({"component": [{"valueString": "x"}]}, "Observation.component[0]"),
        ({"id": "x" * 65}, "Observation.id"),
        ({"effectiveDateTime": "2019-02-29"}, "Observation.effective"),
        ({"effectiveDateTime": "2019-02-28T10:00:00"}, "Observation.effective"),
        ({"issued": "2019-02-28"}, "Observation.issued"),
        ({"contained": [{"resourceType": "Patient", "gender": "x"}]}, "Observation.contained[0].gender"),
        ({"dataAbsentReason": {"text": "x"}}, "Observation"),
    ],
)
def test_fault_is_located(changes: dict[str, Any], path: str) -> None:
    """Each single fault in a sound resource makes it invalid, and the outcome says where."""
    verdict = judge({**OBSERVATION, **changes})
    assert not verdict.valid
    assert verdict.resource_type == "Observation"
    assert any(place.startswith(path) for _, place in errors(verdict)), errors(verdict)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"resourceType":"\xff"}',
        json.dumps(OBSERVATION).encode("utf-16"),
        b'{"resourceType":"Patient"',
        b'{"resourceType":"Patient"} {}',
        b'{"resourceType":"Patient","x":NaN}',
        b'{"resourceType":"Patient","active":true,"active":true}',
        b'{"x":' * 100_000,
        b"[]",
        b'"Patient"',
        b"{}",
        b'{"resourceType":["Patient"]}',
        b'{"resourceType":"Patiens"}',
        b'{"resourceType":"HumanName"}',
        b'{"resourceType":"DomainResource"}',
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    ],
)
def test_unreadable_content_is_refused(content: bytes) -> None:
    """What is no resource gets an outcome that says so, and no kind."""
    verdict = VALIDATOR.validate(content, R4)
    assert (verdict.valid, verdict.resource_type) == (False, None)
    assert VALIDATOR.is_valid(content, R4) is False
    assert all(issue["details"]["text"] for issue in verdict.outcome["issue"])


def test_place_is_told_by_line_and_column() -> None:
    """An integrator finds the fault in his file: line, column, FHIRPath, and words."""
    text = '{"resourceType": "Observation",\n  "status": "done",\n  "code": {"text": "x"}}'
    (issue,) = [one for one in validate(text).outcome["issue"] if one["severity"] == "error"]
    places = {each["url"]: each["valueInteger"] for each in issue["extension"]}
    assert (places[LINE], places[COLUMN]) == (2, 13)
    assert issue["expression"] == ["Observation.status"]
    assert "http://hl7.org/fhir/ValueSet/observation-status" in issue["details"]["text"]


def test_versions_differ() -> None:
    """Each version is judged by its own definitions: a resource that is new in R5 is unknown before."""
    transport = {"resourceType": "Transport", "intent": "order", "requestedLocation": {"display": "x"}}
    located = transport | {"currentLocation": {"display": "y"}}
    assert not judge(located, R4).valid
    assert not judge(located, R4B).valid
    assert judge(located, R5).resource_type == "Transport"


@pytest.mark.parametrize(
    ("content", "record_format", "valid"),
    [
        (b"x", RecordFormat.BINARY, True),
        (b"", RecordFormat.BINARY, False),
        (b"x", RecordFormat.DICOM, False),
    ],
)
def test_other_content_is_judged_by_its_form(
    content: bytes,
    record_format: RecordFormat,
    valid: bool,  # noqa: FBT001 - a table
) -> None:
    """What is not FHIR has no kind; opaque content is there or not."""
    verdict = VALIDATOR.validate(content, record_format)
    assert (verdict.valid, verdict.resource_type) == (valid, None)
    assert VALIDATOR.is_valid(content, record_format) is valid


def test_threads_share_a_validator() -> None:
    """Many threads at once, the first use included, get the verdicts that one gets."""
    validator = FhirValidator()
    texts = [json.dumps({**OBSERVATION, "status": status}).encode() for status in ("final", "done")] * 100
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda text: validator.validate(text, R4).valid, texts))
    assert verdicts == [True, False] * 100


def test_function_needs_no_set_up(tmp_path: Path) -> None:
    """Bytes, text and files are judged, by the version that is named."""
    file = tmp_path / "observation.json"
    file.write_text(json.dumps(OBSERVATION))
    assert validate(file).valid
    assert validate(json.dumps(OBSERVATION), version="5.0").valid
    assert not validate(b"{}").valid
    assert not validate('{"resourceType": "Patient", "id": "\ud800"}').valid
    with pytest.raises(InputInvalid, match=r"4\.0, 4\.3, 5\.0"):
        validate(b"{}", version="3.0")


PROFILE: dict[str, Any] = {
    "resourceType": "StructureDefinition",
    "url": "http://example.org/StructureDefinition/with-note",
    "name": "WithNote",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Observation",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
    "derivation": "constraint",
    "fhirVersion": "4.0.1",
    "differential": {"element": [{"id": "Observation.note", "path": "Observation.note", "min": 1}]},
}


def test_profile_is_enforced_on_its_kind_only() -> None:
    """A profile that is handed over holds for resources of its kind, whether they claim it or not."""
    profile = json.dumps(PROFILE).encode()
    noted = {**OBSERVATION, "note": [{"text": "x"}]}
    assert validate(json.dumps(noted), profiles=[profile]).valid
    assert not validate(json.dumps(OBSERVATION), profiles=[profile]).valid
    assert validate('{"resourceType": "Patient", "active": true}', profiles=[profile]).valid


def test_profile_that_is_claimed_is_checked() -> None:
    """Without being enforced, a known profile counts for the resources that claim it."""
    validator = FhirValidator(profiles=Profiles((PROFILE,)))
    claiming = {**OBSERVATION, "meta": {"profile": [PROFILE["url"]]}}
    assert validator.validate(json.dumps(OBSERVATION).encode(), R4).valid
    assert not validator.validate(json.dumps(claiming).encode(), R4).valid


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"resourceType": "Patient"}', b'{"resourceType": "ValueSet"}']
)
def test_what_defines_nothing_is_no_profile(text: bytes) -> None:
    """A profile that is none is an error of the caller, not a verdict."""
    with pytest.raises(InputInvalid):
        validate(b"{}", profiles=[text])


def test_profile_of_another_version_is_refused() -> None:
    """A profile made for R4 says nothing of R5."""
    with pytest.raises(DefinitionUnusable):
        validate(b"{}", version="5.0", profiles=[json.dumps(PROFILE).encode()])


def bundle(*resources: dict[str, Any], kind: str = "collection", **more: Any) -> bytes:
    """Return a bundle of resources."""
    return json.dumps(
        {
            "resourceType": "Bundle",
            "type": kind,
            "entry": [
                {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-{number:012}", "resource": resource}
                for number, resource in enumerate(resources)
            ],
            **more,
        }
    ).encode()


def judge_bundle(content: bytes, validator: FhirValidator = VALIDATOR) -> tuple[bool, list[bool | None]]:
    """Return the verdicts on a bundle and on its entries."""
    entries = bundle_entries(content)
    assert entries is not None
    verdict = validator.validate_bundle(content, entries, R4)
    return verdict.bundle.valid, [None if one is None else one.valid for one in verdict.entries]


def test_entries_have_verdicts_of_their_own() -> None:
    """A fault is the fault of its entry; the others and the bundle are sound."""
    bad = {**OBSERVATION, "status": "done"}
    assert judge_bundle(bundle(OBSERVATION, bad, {"resourceType": "Patient", "active": True})) == (
        True,
        [True, False, True],
    )


def test_outcome_of_an_entry_tells_of_it_alone() -> None:
    """Each entry's outcome has its own issues, with their places in the bundle as it was sent."""
    content = bundle({**OBSERVATION, "status": "done"}, {**OBSERVATION, "issued": "x"})
    entries = bundle_entries(content)
    assert entries is not None
    verdict = VALIDATOR.validate_bundle(content, entries, R4)
    told = [errors(one) for one in verdict.entries if one is not None]
    assert [[path for _, path in of_one] for of_one in told] == [
        ["Bundle.entry[0].resource.status"],
        ["Bundle.entry[1].resource.issued"],
    ]


def test_fault_of_the_bundle_is_of_no_entry() -> None:
    """A property that no bundle has makes the bundle invalid, whatever its entries are."""
    valid, entries = judge_bundle(bundle(OBSERVATION, bogus=1))
    assert (valid, entries) == (False, [True])


def test_many_issues_hide_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more is wrong than is listed, entries are judged one by one, and none passes unseen."""
    monkeypatch.setattr("caregrid.fhir.validator._ISSUES_AN_ENTRY", 0)
    monkeypatch.setattr("caregrid.fhir.native.MAX_ISSUES", 3)
    bad = {**OBSERVATION, "status": "done", "issued": "x"}
    assert judge_bundle(bundle(bad, bad, OBSERVATION, bad)) == (True, [False, False, True, False])
    assert judge_bundle(bundle(*[OBSERVATION] * 9, bogus=1))[0] is False


def test_profile_is_enforced_on_entries() -> None:
    """Entries must follow a profile as resources that stand alone must."""
    validator = FhirValidator(profiles=Profiles((PROFILE,)), enforce=True)
    content = bundle(OBSERVATION, {**OBSERVATION, "note": [{"text": "x"}]})
    assert judge_bundle(content, validator) == (True, [False, True])


def test_nothing_is_loaded_that_is_not_needed() -> None:
    """Validating loads no network library, none of the command line, and no DICOM reader."""
    names = ("aiohttp", "pydantic", "typer", "pydicom", "asyncio")
    program = (
        "import sys; from caregrid.fhir import validate; validate(b'{}');"
        f"print([name for name in {names} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
