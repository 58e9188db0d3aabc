"""The tables we keep of FHIR fit the library's own."""

from __future__ import annotations

import json

import pytest

from caregrid.fhir import FirstLevelValidator, codes
from caregrid.fhir.first_level import COMMON_RESOURCES
from caregrid.fhir.models import GONE_IN_R4B, NEW_IN_R4B, Models
from caregrid.records import RecordFormat

R4, R4B, R5 = RecordFormat.FHIR_R4_JSON, RecordFormat.FHIR_R4B_JSON, RecordFormat.FHIR_R5_JSON


@pytest.mark.parametrize("release", [R4, R4B])
def test_every_binding_is_of_an_element_of_type_code(release: RecordFormat) -> None:
    """No entry of the code table names a class or element that there is not, or one that is no code."""
    models = Models(release)
    for name, element in codes.bindings(release):
        assert models.shape(models._marker(name)).elements[element].primitive == "code"


def test_codes_of_a_repeating_element_are_checked_one_by_one() -> None:
    """Of several codes the one outside the value set is named, and codes inside it pass."""
    allergy = {"resourceType": "AllergyIntolerance", "patient": {"display": "x"}}
    content = json.dumps({**allergy, "category": ["food", "fear"]}).encode()
    (issue,) = FirstLevelValidator().validate(content, R4).outcome["issue"]
    assert (issue["code"], issue["expression"]) == ("code-invalid", ["AllergyIntolerance.category[1]"])
    content = json.dumps({**allergy, "category": ["food", "biologic"]}).encode()
    assert FirstLevelValidator().validate(content, R4).valid


def test_r4_codes_are_not_asked_of_r5() -> None:
    """A status that R5 added is no fault in R5, though it is one in R4."""
    encounter = {"resourceType": "Encounter", "status": "completed"}
    assert FirstLevelValidator().validate(json.dumps(encounter).encode(), R5).valid
    in_r4 = json.dumps({**encounter, "class": {"code": "AMB"}}).encode()
    (issue,) = FirstLevelValidator().validate(in_r4, R4).outcome["issue"]
    assert (issue["code"], issue["expression"]) == ("code-invalid", ["Encounter.status"])


def test_releases_have_the_resources_they_should() -> None:
    """What R4B added is in its models and not in R4's; what it dropped is in neither."""
    r4, r4b = Models(R4), Models(R4B)
    assert {name for name in NEW_IN_R4B if r4b.resource(name) is None} == set()
    assert {name for name in NEW_IN_R4B | GONE_IN_R4B if r4.resource(name) is not None} == set()
    assert {name for name in GONE_IN_R4B if r4b.resource(name) is not None} == set()


@pytest.mark.parametrize("release", [R4, R4B, R5])
def test_common_resources_exist(release: RecordFormat) -> None:
    """Every resource to be warmed up is one of the release."""
    models = Models(release)
    assert [name for name in COMMON_RESOURCES if models.resource(name) is None] == []


def test_shape_tells_cardinality_types_and_choices() -> None:
    """The table of a class says of each element whether it repeats, what it is, and what is required."""
    shape = Models(R4).resource("Observation")
    assert shape is not None
    assert (shape.elements["category"].many, shape.elements["code"].many) == (True, False)
    assert shape.elements["issued"].primitive == "instant"
    assert shape.elements["_issued"].name == "issued"
    assert set(shape.required) == {"status", "code"}
    assert shape.choices["effective"] == (
        "effectiveDateTime",
        "effectiveInstant",
        "effectivePeriod",
        "effectiveTiming",
    )
    assert shape.required_choices == frozenset()
