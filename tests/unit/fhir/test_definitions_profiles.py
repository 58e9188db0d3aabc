"""A user's own profiles, with a snapshot or without, become a fragment of definitions."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import DefinitionUnusable
from caregrid.fhir.definitions.elements import id_of
from caregrid.fhir.definitions.profiles import compile_supplied
from tests.fhir_examples import fhir_examples
from tests.unit.fhir.test_definitions import loaded

HL7 = "http://hl7.org/fhir/StructureDefinition/"
MINE = "https://example.org/fhir/StructureDefinition/"

# What the differentials of R4B's own profiles say, and its published snapshots do not.
SNAPSHOTS_THAT_DIFFER = {
    "bp": "leaves out that a component's value is a choice that was narrowed",
    "catalog": "lacks Composition.date of its base",
    "clinicaldocument": "takes the extension's own maximum for its slice",
    "familymemberhistory-genetic": "lacks elements of its base",
    "provenance-relevant-history": "has another binding on a slice than its differential",
}


def profile(
    *elements: dict[str, Any], name: str = "mine", of: str = "Patient", **more: Any
) -> dict[str, Any]:
    """A StructureDefinition with a differential only."""
    return {
        "resourceType": "StructureDefinition",
        "url": MINE + name,
        "name": name,
        "type": of,
        "kind": "resource",
        "derivation": "constraint",
        "baseDefinition": HL7 + of,
        "differential": {"element": [{"id": one["path"], **one} for one in elements]},
        **more,
    }


def grown(*elements: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    """The elements of a profile of R4, by id, in their order."""
    fragment = compile_supplied([profile(*elements, **more)], "4.0")
    return {id_of(one): one for one in fragment["structures"][0]["elements"]}


def test_what_the_differential_does_not_name_is_as_in_the_base() -> None:
    """The snapshot is whole, with the types' own invariants left to the types."""
    base = next(one for one in loaded("4.0")["structures"] if one["url"] == HL7 + "Patient")
    expected = [{key: value for key, value in one.items() if key != "invariants"} for one in base["elements"]]
    assert expected == list(grown().values())


def test_cardinality_types_and_values_are_laid_over_the_base() -> None:
    """A list that is narrowed to one stays a list in JSON; what is forbidden needs no types."""
    found = grown(
        {"path": "Patient.name", "min": 1, "max": "1"},
        {"path": "Patient.active", "fixedBoolean": True},
        {"path": "Patient.photo", "max": "0"},
        {"path": "Patient.gender", "binding": {"strength": "required", "valueSet": MINE + "vs"}},
    )
    assert {"path": "Patient.name", "min": 1, "max": 1, "list": True, "types": [{"code": "HumanName"}]} == (
        found["Patient.name"]
    )
    assert found["Patient.active"]["fixed"] is True
    assert {"path": "Patient.photo", "max": 0, "list": True} == found["Patient.photo"]
    assert {"strength": "required", "valueSet": MINE + "vs"} == found["Patient.gender"]["binding"]


def test_children_of_data_types_are_unfolded() -> None:
    """A constraint inside a data type brings that type's elements, in place."""
    found = grown({"path": "Patient.identifier.system", "min": 1, "fixedUri": "urn:mine"})
    assert {"path": "Patient.identifier.system", "min": 1, "max": 1, "fixed": "urn:mine"} == {
        key: value for key, value in found["Patient.identifier.system"].items() if key != "types"
    }
    order = list(found)
    assert (
        order.index("Patient.identifier")
        < order.index("Patient.identifier.value")
        < order.index("Patient.active")
    )
    assert "code" == found["Patient.identifier.use"]["types"][0]["code"]


def test_slices_come_behind_what_they_slice() -> None:
    """A slice begins as a copy without a minimum, and its children are its own."""
    by_system = {"rules": "open", "discriminator": [{"type": "value", "path": "system"}]}
    found = grown(
        {"path": "Patient.identifier", "slicing": by_system, "min": 1},
        {"id": "Patient.identifier:a", "path": "Patient.identifier", "sliceName": "a", "max": "1"},
        {"id": "Patient.identifier:a.system", "path": "Patient.identifier.system", "fixedUri": "urn:a"},
        {"id": "Patient.identifier:b", "path": "Patient.identifier", "sliceName": "b"},
    )
    order = [name for name in found if name.startswith("Patient.identifier")]
    assert ["Patient.identifier", "Patient.identifier:a"] == order[:2]
    assert "Patient.identifier:b" == order[-1]
    assert by_system == found["Patient.identifier"]["slicing"]
    assert {
        "id": "Patient.identifier:a",
        "path": "Patient.identifier",
        "slice": "a",
        "max": 1,
        "list": True,
    } == {key: value for key, value in found["Patient.identifier:a"].items() if key != "types"}
    assert "urn:a" == found["Patient.identifier:a.system"]["fixed"]
    assert "Patient.identifier.system" == found["Patient.identifier:a.system"]["path"]


def test_children_of_the_whole_are_children_of_the_slice() -> None:
    """What holds for every component holds for the slice."""
    found = grown(
        {"path": "Observation.component.value[x]", "min": 1},
        {"id": "Observation.component:a", "path": "Observation.component", "sliceName": "a"},
        {"id": "Observation.component:a.code", "path": "Observation.component.code", "min": 1},
        of="Observation",
    )
    assert 1 == found["Observation.component:a.value[x]"]["min"]
    assert (
        "#Observation.referenceRange" == found["Observation.component:a.referenceRange"]["contentReference"]
    )


def test_extensions_are_sliced_by_url() -> None:
    """A profile that names an extension need not say how extensions are told apart."""
    types = [{"code": "Extension", "profile": [MINE + "race"]}]
    found = grown(
        {"id": "Patient.extension:race", "path": "Patient.extension", "sliceName": "race", "type": types}
    )
    assert [{"type": "value", "path": "url"}] == found["Patient.extension"]["slicing"]["discriminator"]
    assert [{"code": "Extension", "profiles": [MINE + "race"]}] == found["Patient.extension:race"]["types"]


def test_a_choice_named_in_short_is_narrowed() -> None:
    """`valueQuantity` for `value[x]` leaves that type alone, and what is required of it is required."""
    found = grown(
        {"path": "Observation.valueQuantity", "min": 1},
        {"path": "Observation.valueQuantity.code", "fixedCode": "mg"},
        of="Observation",
    )
    assert [{"code": "Quantity"}] == found["Observation.value[x]"]["types"]
    assert ("closed", 1) == (
        found["Observation.value[x]"]["slicing"]["rules"],
        found["Observation.value[x]"]["min"],
    )
    assert "mg" == found["Observation.value[x]:valueQuantity.code"]["fixed"]


def test_content_references_are_followed() -> None:
    """A questionnaire's items have items."""
    found = grown({"path": "Questionnaire.item.item.linkId", "maxLength": 9}, of="Questionnaire")
    assert 9 == found["Questionnaire.item.item.linkId"]["maxLength"]
    assert "maxLength" not in found["Questionnaire.item.linkId"]


def test_profiles_build_on_profiles_in_any_order() -> None:
    """Invariants of a profile below, HL7's or the user's, hold for the one above."""
    rule = {"key": "m-1", "severity": "error", "human": "says so", "expression": "true"}
    lower = profile(
        {"path": "Observation", "constraint": [rule]},
        name="lower",
        of="Observation",
        baseDefinition=HL7 + "vitalsigns",
    )
    upper = profile(
        {"path": "Observation.note", "max": "0"}, name="a", of="Observation", baseDefinition=lower["url"]
    )
    fragment = compile_supplied([upper, lower], "4.0")
    keys = {
        key
        for element in fragment["structures"][0]["elements"]
        for key in (fragment["invariants"][place]["key"] for place in element.get("invariants", []))
    }
    assert {"m-1", "vs-1", "vs-2", "vs-3"} == keys
    assert [MINE + "a", MINE + "lower"] == [one["url"] for one in fragment["structures"]]


def test_value_sets_and_code_systems_may_use_those_of_hl7() -> None:
    """A user's value set takes in HL7's codes and his own; a filter on HL7's hierarchy cannot be followed."""
    gender = "http://hl7.org/fhir/administrative-gender"
    parts = [
        {"system": gender},
        {"system": "urn:mine"},
        {"valueSet": ["http://hl7.org/fhir/ValueSet/link-type"]},
    ]
    filtered = {"system": gender, "filter": [{"property": "concept", "op": "is-a", "value": "male"}]}
    fragment = compile_supplied(
        [
            {"resourceType": "ValueSet", "url": "urn:vs", "compose": {"include": parts}},
            {"resourceType": "ValueSet", "url": "urn:open", "compose": {"include": [filtered]}},
            {
                "resourceType": "CodeSystem",
                "url": "urn:mine",
                "content": "complete",
                "concept": [{"code": "x"}],
            },
        ],
        "4.0",
    )
    assert {
        gender: ["female", "male", "other", "unknown"],
        "http://hl7.org/fhir/link-type": ["refer", "replaced-by", "replaces", "seealso"],
        "urn:mine": ["x"],
    } == fragment["valueSets"]["urn:vs"]["codes"]
    assert {"open": True} == fragment["valueSets"]["urn:open"]
    assert {"urn:mine": {"codes": {"x": ""}, "complete": True, "caseSensitive": True}} == fragment[
        "codeSystems"
    ]


@pytest.mark.parametrize(
    ("supplied", "text"),
    [
        ({"resourceType": "Patient"}, "definitions are of these kinds"),
        ([], "definitions are of these kinds"),
        (profile(fhirVersion="5.0.0"), r"is of FHIR 5\.0\.0, not 4\.0\.1"),
        (profile(baseDefinition=MINE + "other"), "its base is not known"),
        (profile(baseDefinition=MINE + "mine"), "builds on itself"),
        (profile({"path": "Patient.wings"}), r"its base has no Patient\.wings"),
        (profile({"path": "Patient.deceasedQuantity"}), r"its base has no Patient\.deceasedQuantity"),
        (profile({"path": "Wings.feather"}), "its base has no Wings"),
        (profile(differential={"element": [{}]}), "not as FHIR describes definitions"),
        (profile(differential=[]), "not as FHIR describes definitions"),
        ({"resourceType": "ValueSet", "url": "urn:v", "compose": 1}, "not as FHIR describes definitions"),
        ({"resourceType": "CodeSystem"}, "not as FHIR describes definitions"),
    ],
)
def test_what_cannot_be_used_is_refused(supplied: Any, text: str) -> None:
    """The error names the definition and what is wrong with it."""
    with pytest.raises(DefinitionUnusable, match=text):
        compile_supplied([supplied], "4.0")


def test_profiles_of_r4_serve_r4b() -> None:
    """R4B left nearly everything as it was."""
    assert 1 == len(compile_supplied([profile(fhirVersion="4.0.1")], "4.3")["structures"])


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))
NAMES = sorted({"id", "path", "min", "max", "type", "constraint", "slicing", "sliceName", "binding", "base"})


@given(st.dictionaries(st.sampled_from(NAMES), JSON | st.just("Patient.name"), max_size=6))
def test_whatever_is_supplied_is_compiled_or_refused(element: dict[str, Any]) -> None:
    """No definition, however broken, ends in another error."""
    supplied = profile()
    supplied["differential"]["element"] = [element]
    with suppress(DefinitionUnusable):
        assert json.dumps(compile_supplied([supplied], "4.0"))


def test_differentials_of_hl7_grow_into_the_snapshots_of_hl7() -> None:
    """Every profile and extension of R4B but for five, each with the reason."""
    base = {one["url"]: one for one in loaded("4.3")["structures"] if one.get("constraint")}
    differing, compared = set(), 0
    for name, text in fhir_examples("4.3").items():
        if not name.startswith("StructureDefinition-"):
            continue
        definition = json.loads(text)
        published = base.get(definition["url"])
        if published is None or "differential" not in definition:
            continue
        compared += 1
        del definition["snapshot"]
        found = compile_supplied([definition], "4.3")["structures"][0]
        if _differs(found, published):
            differing.add(definition["id"])
    assert compared > 300
    assert SNAPSHOTS_THAT_DIFFER.keys() == differing


def _differs(found: dict[str, Any], published: dict[str, Any]) -> bool:
    ours = {id_of(one): _without_invariants(one) for one in found["elements"]}
    theirs = {id_of(one): _without_invariants(one) for one in published["elements"]}
    # How often an extension may stand is widened in the compiled definitions.
    return any(theirs.get(name) != one for name, one in ours.items() if "." in name)


def _without_invariants(element: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in element.items() if key != "invariants"}
