"""What a terminology server answers settles what was left open, and no answer harms nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.fhir import Answer, Coding, FhirValidator, Question, Terminology, Verdict, bundle_entries
from caregrid.fhir.places import at_path
from caregrid.fhir.terminology import Unchecked, settle
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

SET = "http://example.org/ValueSet/rare"
RESOURCE: dict[str, Any] = {
    "resourceType": "Observation",
    "language": "tlh",
    "code": {
        "coding": [{"system": "http://snomed.info/sct", "code": "1", "display": "secret"}],
        "text": "secret",
    },
    "valueQuantity": {"value": 1, "system": "http://unitsofmeasure.org", "code": "mm[Hg]", "unit": "secret"},
    "component": [{"code": {"text": "x"}}, {"valueCodeableConcept": {"coding": [{"code": "2"}]}}],
}


class Told(Terminology):
    """Answers all questions alike, and remembers them."""

    def __init__(self, *, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Question] = []

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer."""
        self.asked += questions
        return [self.answer for _ in questions]


def open_verdict(*, required: bool) -> tuple[Verdict, list[Unchecked]]:
    """Return a verdict with one issue, of a code that was not checked."""
    issue = {"severity": "information", "code": "not-supported", "expression": ["Observation.code"]}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    unchecked = [Unchecked(issue=0, value_set=SET, path="Observation.code", required=required)]
    return Verdict(valid=True, outcome=outcome, resource_type="Observation"), unchecked


@pytest.mark.parametrize(
    ("answer", "required", "valid", "severity", "unanswered"),
    [
        (Answer.INSIDE, True, True, "information", 0),
        (Answer.OUTSIDE, True, False, "error", 0),
        (Answer.OUTSIDE, False, True, "warning", 0),
        (Answer.UNKNOWN, True, True, "warning", 0),
        (Answer.MISSING, True, True, "warning", 1),
    ],
)
def test_answer_settles(
    *, answer: Answer, required: bool, valid: bool, severity: str, unanswered: int
) -> None:
    """In the value set: no issue. Outside: as strict as the binding. No answer: a warning, and counted."""
    verdict, unchecked = open_verdict(required=required)
    told = Told(answer=answer)
    settled = settle(verdict, unchecked, json.dumps(RESOURCE).encode(), told)
    (issue,) = settled.outcome["issue"]
    assert (settled.valid, issue["severity"], settled.unanswered) == (valid, severity, unanswered)
    assert told.asked == [
        Question(value_set=SET, codings=(Coding(system="http://snomed.info/sct", code="1"),))
    ]


def test_only_codes_leave() -> None:
    """No display and no text of the record is in a question."""
    verdict, unchecked = open_verdict(required=True)
    told = Told(answer=Answer.INSIDE)
    settle(verdict, unchecked, json.dumps(RESOURCE).encode(), told)
    assert "secret" not in repr(told.asked)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Observation.language", "tlh"),
        ("Observation.value", RESOURCE["valueQuantity"]),
        ("Observation.valueQuantity", RESOURCE["valueQuantity"]),
        ("Observation.value.ofType(Quantity).code", "mm[Hg]"),
        ("Observation.component[1].value.coding[0].code", "2"),
        ("Observation.component[2]", None),
        ("Observation.component[0].code[3]", None),
        ("Observation.nothing.there", None),
        ("Observation.where(true)", None),
    ],
)
def test_places_are_found(path: str, expected: Any) -> None:
    """A location of an issue leads to the value that it tells of, or nowhere."""
    assert expected == at_path(RESOURCE, path)


LOINC_LIST = "http://loinc.org/vs/LL379-9"
SEQUENCE = {
    "resourceType": "MolecularSequence",
    "coordinateSystem": 0,
    "structureVariant": [{"variantType": {"coding": [{"system": "http://loinc.org", "code": "LA9658-1"}]}}],
}


@pytest.mark.parametrize(
    ("answer", "valid", "open_issues"),
    [(Answer.INSIDE, True, 0), (Answer.OUTSIDE, False, 1), (Answer.MISSING, True, 1)],
)
def test_validator_asks_about_what_it_left_open(*, answer: Answer, valid: bool, open_issues: int) -> None:
    """A required code that the definitions do not list is asked about, and the answer decides."""
    content, told = json.dumps(SEQUENCE).encode(), Told(answer=answer)
    verdict = FhirValidator(terminology=told).validate(content, RecordFormat.FHIR_R4_JSON)
    about = [issue for issue in verdict.outcome["issue"] if LOINC_LIST in issue["details"]["text"]]
    assert (valid, open_issues) == (verdict.valid, len(about))
    asked = Question(value_set=LOINC_LIST, codings=(Coding(system="http://loinc.org", code="LA9658-1"),))
    assert told.asked == [asked]


def test_without_a_server_it_stays_open() -> None:
    """Nobody says that a code is valid which was not checked."""
    verdict = FhirValidator().validate(json.dumps(SEQUENCE).encode(), RecordFormat.FHIR_R4_JSON)
    (about,) = [issue for issue in verdict.outcome["issue"] if LOINC_LIST in issue["details"]["text"]]
    assert verdict.valid
    assert "not checked" in about["details"]["text"]


def test_entries_of_a_bundle_are_asked_about() -> None:
    """In a bundle, too, each code is asked about, and the entry with the wrong one is refused."""
    content = json.dumps(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": SEQUENCE}] * 2}
    ).encode()
    entries = bundle_entries(content)
    assert entries is not None
    validator = FhirValidator(terminology=Told(answer=Answer.OUTSIDE))
    verdict = validator.validate_bundle(content, entries, RecordFormat.FHIR_R4_JSON)
    assert (verdict.bundle.valid, [one and one.valid for one in verdict.entries]) == (True, [False, False])


def test_entries_count_what_was_not_answered() -> None:
    """Each entry of a bundle says of itself how many of its codes nobody answered for."""
    content = json.dumps(
        {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": SEQUENCE}, {"resource": {"resourceType": "Patient", "active": True}}],
        }
    ).encode()
    entries = bundle_entries(content)
    assert entries is not None
    validator = FhirValidator(terminology=Told(answer=Answer.MISSING))
    verdict = validator.validate_bundle(content, entries, RecordFormat.FHIR_R4_JSON)
    assert [1, 0] == [one and one.unanswered for one in verdict.entries]
