"""Nothing of a record shows in what the validator says of it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caregrid.fhir import FirstLevelValidator, Verdict, library, rules, split_bundle
from caregrid.fhir.models import Models
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

R4 = RecordFormat.FHIR_R4_JSON
VALIDATOR = FirstLevelValidator()
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
RESOURCES: list[dict[str, Any]] = [
    json.loads(part)
    for part in split_bundle((EXAMPLES / "synthetic-patient-bundle.json").read_bytes())
    if part is not None
]
PRIMITIVES = [
    "base64Binary",
    "boolean",
    "canonical",
    "code",
    "date",
    "dateTime",
    "decimal",
    "id",
    "instant",
    "integer",
    "integer64",
    "markdown",
    "oid",
    "positiveInt",
    "string",
    "time",
    "unsignedInt",
    "uri",
    "url",
    "uuid",
    "xhtml",
]
RULES = [rule for rule in vars(rules).values() if isinstance(rule, rules.Rule)]
TEXTS = {re.sub(r"\{\d\}", "#", rule.text) for rule in [*RULES, *map(rules.lexical, PRIMITIVES)]}

#: Letters that no name of FHIR and no text of ours has together, and a number that no position reaches.
markers = st.text("qxzjw", min_size=10, max_size=20)
numbers = st.integers(10**12, 10**15)


def assert_silent(verdict: Verdict, *secrets: str) -> None:
    """Check that an outcome has no secret, and nothing but our own texts and specified names."""
    said = json.dumps(verdict.outcome, ensure_ascii=False)
    assert [secret for secret in secrets if secret in said] == []
    for issue in verdict.outcome["issue"]:
        assert re.sub(r"\d+", "#", issue["diagnostics"]) in {re.sub(r"\d+", "#", text) for text in TEXTS}
        assert issue["details"]["coding"][0]["system"] == rules.RULE_SYSTEM
        assert re.fullmatch(r"[A-Za-z0-9]+(\[\d+\]|\[x\]|\.[A-Za-z0-9]+)*", issue.get("expression", ["x"])[0])


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
        {"extension": [{"url": "urn:x", "valueUuid": SECRET}]},
        {"extension": [{"url": "urn:x", "valueUrl": f"http://{SECRET} x"}]},
        {"extension": [{"url": "urn:x", "valueBase64Binary": f"{SECRET}*"}]},
        {"extension": [{"url": "urn:x", "valueOid": SECRET}]},
        {"extension": [{"url": "urn:x", "valueInteger": SECRET}]},
        {"extension": [{"url": "urn:x", "valueInstant": f"2020-01-01T00:00:00{SECRET}"}]},
    ],
)
def test_refused_secret_is_not_quoted(changes: dict[str, Any]) -> None:
    """Each way for a value or a name to be the reason of a refusal leaves it unnamed."""
    verdict = VALIDATOR.validate(json.dumps({**OBSERVATION, **changes}).encode(), R4)
    assert not verdict.valid
    assert verdict.resource_type in {None, "Observation"}
    assert_silent(verdict, SECRET)


@pytest.mark.parametrize(
    "content", [SECRET, f'{{"{SECRET}', f'{{"a":"\\{SECRET}"}}', f'{{"{SECRET}":NaN}}', f'"{SECRET}"']
)
def test_broken_json_is_not_quoted(content: str) -> None:
    """A syntax error is told by its place, not by its text."""
    verdict = VALIDATOR.validate(content.encode(), R4)
    assert not verdict.valid
    assert_silent(verdict, SECRET)


class StumblingModel:
    """A model class that fails as the library does on some unknown resources: an error that quotes them."""

    @staticmethod
    def model_validate(value: Any) -> None:
        """Fail."""
        raise KeyError(value)


def test_failure_of_the_library_is_a_verdict_without_quotes() -> None:
    """An unforeseen exception in the library refuses the record, and its message goes nowhere."""
    models = Models(R4)
    shape = models.resource("Observation")
    assert shape is not None
    stumbling = dataclasses.replace(shape, model=StumblingModel)  # type: ignore[arg-type]  # only this method is used
    issues = library.examine(models, stumbling, {"resourceType": SECRET})
    assert issues == [rules.Issue(rules.MODEL_FAILED, "Observation")]


def test_places_told_by_the_library_are_cut_at_unknown_names() -> None:
    """The library names unknown properties in its errors; of such a place only the specified part is told."""
    models = Models(R4)
    shape = models.resource("Observation")
    assert shape is not None
    issues = library.examine(models, shape, {**OBSERVATION, "note": [{"text": "x", SECRET: 1}]})
    assert issues == [rules.Issue(rules.NOT_CONFORMING, "Observation.note[0]")]


def test_rules_have_distinct_names_and_true_issue_types() -> None:
    """Clients tell rules apart by their names, and each issue type is one that FHIR defines."""
    names = [rule.name for rule in RULES]
    defined = [
        "invalid",
        "structure",
        "required",
        "value",
        "invariant",
        "too-long",
        "not-supported",
        "code-invalid",
        "too-costly",
        "exception",
        "informational",
    ]
    assert sorted(set(names)) == sorted(names)
    assert {rule.code for rule in RULES} <= set(defined)
