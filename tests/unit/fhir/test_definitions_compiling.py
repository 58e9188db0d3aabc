"""StructureDefinitions become the compact form, rule by rule of `native/schema/src/form.rs`."""

from __future__ import annotations

from typing import Any

import pytest

from caregrid.errors import DefinitionUnusable
from caregrid.fhir.definitions.compiling import compile_structure
from caregrid.fhir.definitions.constraints import Inherited, Rules

HL7 = "http://hl7.org/fhir/StructureDefinition/"


def definition(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A StructureDefinition of a profile of Observation."""
    return {
        "resourceType": "StructureDefinition",
        "url": "https://example.org/lab",
        "name": "Lab",
        "type": "Observation",
        "kind": "resource",
        "derivation": "constraint",
        "baseDefinition": HL7 + "Observation|4.0.1",
        "snapshot": {"element": [{"id": "Observation", "path": "Observation"}, *elements]},
        **more,
    }


def compiled(element: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An element of a profile, compiled."""
    elements: list[dict[str, Any]] = compile_structure(definition(element, **more), Rules())["elements"]
    return elements[1]


def test_the_head_of_a_structure() -> None:
    """Url, names and base stand there without versions, and defaults do not."""
    head = compile_structure(definition(), Rules())
    assert {
        "url": "https://example.org/lab",
        "name": "Lab",
        "type": "Observation",
        "kind": "resource",
        "constraint": True,
        "base": HL7 + "Observation",
        "elements": [{"path": "Observation"}],
    } == head


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"min": 0, "max": "*"}, {}),
        ({"min": 1, "max": "1"}, {"min": 1, "max": 1}),
        ({"max": "0", "type": [{"code": "string"}]}, {"max": 0}),
        ({"max": "1", "base": {"max": "*"}}, {"max": 1, "list": True}),
        ({"max": "1", "base": {"max": "1"}}, {"max": 1}),
        ({"isModifier": True, "maxLength": 9}, {"modifier": True, "maxLength": 9}),
        ({"isModifier": False}, {}),
        ({"fixedCode": "final"}, {"fixed": "final"}),
        ({"fixedBoolean": False}, {"fixed": False}),
        ({"patternCodeableConcept": {"text": "a"}}, {"pattern": {"text": "a"}}),
        ({"minValueInteger": 0, "maxValueInteger": 9}, {"minValue": 0, "maxValue": 9}),
        ({"contentReference": HL7 + "Observation#Observation.x"}, {"contentReference": "#Observation.x"}),
        ({"sliceName": "a"}, {"slice": "a"}),
        (
            {
                "slicing": {
                    "rules": "closed",
                    "ordered": True,
                    "discriminator": [{"type": "value", "path": "a"}],
                }
            },
            {
                "slicing": {
                    "rules": "closed",
                    "ordered": True,
                    "discriminator": [{"type": "value", "path": "a"}],
                }
            },
        ),
        ({"slicing": {"rules": "open", "ordered": False}}, {"slicing": {"rules": "open"}}),
        (
            {"type": [{"code": "Reference", "targetProfile": [HL7 + "Patient|4.0.1"]}]},
            {"types": [{"code": "Reference", "targets": [HL7 + "Patient"]}]},
        ),
        (
            {"type": [{"code": "Quantity", "profile": [HL7 + "SimpleQuantity"]}]},
            {"types": [{"code": "Quantity", "profiles": [HL7 + "SimpleQuantity"]}]},
        ),
    ],
)
def test_an_element(written: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each part of an ElementDefinition has its place in the compact form, defaults left out."""
    path = "Observation.note"
    assert {"path": path, **expected} == compiled({"id": path, "path": path, **written})


def test_an_id_that_is_not_the_path_is_kept() -> None:
    """Slices are told apart by id."""
    element = {"id": "Observation.category:lab", "path": "Observation.category", "sliceName": "lab"}
    assert "Observation.category:lab" == compiled(element)["id"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Observation.id", "id"),
        ("Observation.code.id", "string"),
        ("Observation.extension.url", "uri"),
        ("Observation.note", "string"),
    ],
)
def test_types_of_fhirpath_become_types_of_fhir(path: str, expected: str) -> None:
    """`System.String` says nothing of the format; the place does."""
    element = {"path": path, "type": [{"code": "http://hl7.org/fhirpath/System.String"}]}
    assert [{"code": expected}] == compiled(element)["types"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {}),
        (
            {
                "extension": [
                    {
                        "url": HL7 + "elementdefinition-maxValueSet",
                        "valueCanonical": "http://hl7.org/fhir/ValueSet/all-languages|4.0.1",
                    }
                ]
            },
            {"max": "http://hl7.org/fhir/ValueSet/all-languages"},
        ),
        (
            {"additional": [{"purpose": "maximum", "valueSet": "https://example.org/max"}]},
            {"max": "https://example.org/max"},
        ),
        ({"additional": [{"purpose": "starter", "valueSet": "https://example.org/some"}]}, {}),
    ],
)
def test_bindings(more: dict[str, Any], expected: dict[str, Any]) -> None:
    """Strength, value set and the maximum, which R4 and R5 write differently."""
    written = {"strength": "preferred", "valueSet": "http://hl7.org/fhir/ValueSet/languages|4.0.1", **more}
    binding = {"strength": "preferred", "valueSet": "http://hl7.org/fhir/ValueSet/languages", **expected}
    assert binding == compiled({"path": "Observation.language", "binding": written})["binding"]


def rule(key: str, expression: str, **more: Any) -> dict[str, Any]:
    """A constraint."""
    return {"key": key, "severity": "error", "human": f"says {key}", "expression": expression, **more}


def test_a_type_keeps_what_it_says_itself() -> None:
    """What comes from a base, or stands on the root already, is not repeated."""
    own, inherited = rule("t-1", "true"), rule("ele-1", "hasValue()", source=HL7 + "Element")
    written = definition(
        {"path": "Observation.a", "constraint": [own, inherited, rule("t-2", "false", source=HL7 + "T")]},
        derivation="specialization",
        url=HL7 + "T",
    )
    written["snapshot"]["element"][0]["constraint"] = [own]
    rules = Rules()
    elements = compile_structure(written, rules)["elements"]
    assert [[0], [1]] == [one["invariants"] for one in elements]
    assert ["t-1", "t-2"] == [one["key"] for one in rules.compiled()]


def test_a_profile_keeps_what_its_types_do_not_say() -> None:
    """By origin, and where a snapshot names none, by key and expression."""
    known = Inherited(types=frozenset({HL7 + "Element"}), rules=frozenset({("obs-7", "false")}))
    constraints = [
        rule("ele-1", "hasValue()", source=HL7 + "Element|4.0.1"),
        rule("obs-7", "false"),
        rule("obs-7", "true"),
    ]
    rules = Rules()
    compile_structure(definition({"path": "Observation.a", "constraint": constraints}), rules, known)
    assert [{"key": "obs-7", "human": "says obs-7", "expression": "true"}] == rules.compiled()


def test_best_practice_is_a_warning() -> None:
    """Whatever severity HL7 writes beside it."""
    practice = [{"url": HL7 + "elementdefinition-bestpractice", "valueBoolean": True}]
    rules = Rules()
    assert [0, 1, 2, 0] == [
        rules.place(one)
        for one in (
            rule("a", "true"),
            rule("b", "true", severity="warning"),
            rule("c", "true", extension=practice),
            rule("a", "true"),
        )
    ]
    assert [False, True, True] == [one.get("warning", False) for one in rules.compiled()]


def test_a_primitive_has_no_element_for_its_value() -> None:
    """JSON writes the value itself."""
    written = definition(
        {"path": "code.value"}, kind="primitive-type", type="code", derivation="specialization"
    )
    written["snapshot"]["element"][0]["path"] = "code"
    assert ["code"] == [one["path"] for one in compile_structure(written, Rules())["elements"]]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"resourceType": "Patient"}, "no StructureDefinition"),
        ({"url": None}, "no url"),
        ({"kind": 1}, "no kind"),
        ({"snapshot": {}}, "has no snapshot"),
    ],
)
def test_what_cannot_be_used_is_refused(change: dict[str, Any], text: str) -> None:
    """The error says what is missing."""
    with pytest.raises(DefinitionUnusable, match=text):
        compile_structure({**definition(), **change}, Rules())
