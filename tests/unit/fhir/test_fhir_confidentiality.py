"""Nothing of a record shows in what the validator says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caregrid.fhir import FhirValidator, Verdict, split_bundle
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

R4 = RecordFormat.FHIR_R4_JSON
VALIDATOR = FhirValidator()
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
RESOURCES: list[dict[str, Any]] = [
    json.loads(part)
    for part in split_bundle((EXAMPLES / "synthetic-patient-bundle.json").read_bytes())
    if part is not None
]

#: Letters that no name of FHIR and no text of ours has together, and a number that no position reaches.
markers = st.text("qxzjw", min_size=10, max_size=20)
numbers = st.integers(10**12, 10**15)


def assert_silent(verdict: Verdict, *secrets: str) -> None:
    """Check that an outcome has no secret."""
    said = json.dumps(verdict.outcome, ensure_ascii=False)
    assert [secret for secret in secrets if secret in said] == []


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container and key (or index) within a JSON value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from places(value[key])


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from(RESOURCES), markers, numbers)
def test_planted_marker_never_shows(
    data: st.DataObject, original: dict[str, Any], marker: str, number: int
) -> None:
    """A marker as value or key, anywhere in a resource, in any JSON type, is not in the outcome."""
    resource = json.loads(json.dumps(original))
    container, key = data.draw(st.sampled_from(list(places(resource))))
    planted = data.draw(
        st.sampled_from(
            [marker, number, [marker], {marker: marker}, {"resourceType": marker}, {"id": marker}]
        )
    )
    if isinstance(container, dict) and data.draw(st.booleans()):
        container[marker] = container.pop(key)
    else:
        container[key] = planted
    assert_silent(VALIDATOR.validate(json.dumps(resource).encode(), R4), marker, str(number))


SECRET = "qxzjwqxzjw"
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}


@pytest.mark.parametrize(
    "changes",
    [
        {SECRET: 1},
        {"code": {SECRET: 1}},
        {"resourceType": SECRET},
        {"status": f"{SECRET} {SECRET}"},
        {"status": SECRET},
        {"status": {SECRET: SECRET}},
        {"id": f"{SECRET}_"},
        {"effectiveDateTime": SECRET},
        {"issued": SECRET},
        {"valueTime": SECRET},
        {"valueQuantity": SECRET},
        {"valueQuantity": {"value": SECRET}},
        {"contained": [{"resourceType": SECRET}]},
        {"contained": [{"resourceType": "Patient", "birthDate": SECRET}]},
        {"contained": [{"resourceType": "Patient", SECRET: SECRET}]},
        {"modifierExtension": [{"url": f"http://{SECRET}", "valueString": SECRET}]},
        {"extension": [{"url": f"http://hl7.org/fhir/StructureDefinition/{SECRET}", "valueString": "x"}]},
        {"extension": [{"url": "urn:x", f"value{SECRET.title()}": SECRET}]},
        {"extension": [{"url": "urn:x", "valueUrl": f"http://{SECRET} x"}]},
        {"extension": [{"url": "urn:x", "valueBase64Binary": f"{SECRET}*"}]},
        {"extension": [{"url": "urn:x", "valueOid": SECRET}]},
        {"extension": [{"url": "urn:x", "valueInteger": SECRET}]},
        {"extension": [{"url": "urn:x", "valueInstant": f"2020-01-01T00:00:00{SECRET}"}]},
        {"text": {"status": "generated", "div": f"<div><{SECRET}/></div>"}},
        {
            "category": [
                {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": SECRET}]}
            ]
        },
    ],
)
def test_refused_secret_is_not_quoted(changes: dict[str, Any]) -> None:
    """Each way for a value or a name to be the reason of a refusal leaves it unnamed."""
    verdict = VALIDATOR.validate(json.dumps({**OBSERVATION, **changes}).encode(), R4)
    assert not verdict.valid
    assert verdict.resource_type in {None, "Observation"}
    assert_silent(verdict, SECRET, SECRET.title())


@pytest.mark.parametrize(
    "changes",
    [
        {"meta": {"profile": [f"http://hl7.org/fhir/StructureDefinition/{SECRET}"]}},
        {"meta": {"profile": [f"http://example.org/{SECRET}"]}},
        {"extension": [{"url": f"http://example.org/{SECRET}", "valueString": SECRET}]},
        {"category": [{"coding": [{"system": f"http://example.org/{SECRET}", "code": SECRET}]}]},
        {"subject": {"reference": f"Patient/{SECRET}", "display": SECRET}},
    ],
)
def test_what_could_not_be_checked_is_not_quoted(changes: dict[str, Any]) -> None:
    """A warning, or that something was not checked, names nothing of the record either."""
    verdict = VALIDATOR.validate(json.dumps({**OBSERVATION, **changes}).encode(), R4)
    assert verdict.valid
    assert_silent(verdict, SECRET)


@pytest.mark.parametrize(
    "content", [SECRET, f'{{"{SECRET}', f'{{"a":"\\{SECRET}"}}', f'{{"{SECRET}":NaN}}', f'"{SECRET}"']
)
def test_broken_json_is_not_quoted(content: str) -> None:
    """A syntax error is told by its place, not by its text."""
    verdict = VALIDATOR.validate(content.encode(), R4)
    assert not verdict.valid
    assert_silent(verdict, SECRET)
