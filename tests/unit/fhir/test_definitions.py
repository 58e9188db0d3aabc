"""The committed definitions are what their header says, complete, and consistent in themselves."""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import Any

import pytest

from caregrid.fhir.definitions import FORM, VERSIONS, packed, path
from caregrid.fhir.definitions.corrections import CORRECTIONS
from definitions import packages

CORE = "http://hl7.org/fhir/StructureDefinition/"
EVERY = pytest.mark.parametrize("version", VERSIONS)

SOURCES = {
    "4.0": [packages.R4, packages.EXTENSIONS_R4, packages.TERMINOLOGY, packages.EXPANSIONS],
    "4.3": [packages.R4B, packages.EXTENSIONS_R4, packages.TERMINOLOGY, packages.EXPANSIONS],
    "5.0": [
        packages.R5,
        packages.R5_EXTENSIONS_THEN,
        packages.EXTENSIONS_R5,
        packages.TERMINOLOGY,
        packages.EXPANSIONS,
    ],
}

# LOINC's answer lists are not in HL7's packages; these bindings cannot be checked.
WITHOUT_VALUE_SET = {"http://loinc.org/vs/LL379-9", "http://loinc.org/LL2938-0/"}


@cache
def loaded(version: str) -> dict[str, Any]:
    """The definitions of a version."""
    definitions: dict[str, Any] = json.loads(gzip.decompress(packed(version)))
    return definitions


def structure(version: str, name: str) -> dict[str, Any]:
    """One of HL7's structures."""
    return next(one for one in loaded(version)["structures"] if one["url"] == CORE + name)


def element(version: str, path: str) -> dict[str, Any]:
    """An element of a type."""
    elements: list[dict[str, Any]] = structure(version, path.partition(".")[0])["elements"]
    return next(one for one in elements if one["path"] == path)


@EVERY
def test_the_header_names_form_version_and_pinned_sources(version: str) -> None:
    """Whoever holds the file knows what it was made from, with licence and hash."""
    definitions = loaded(version)
    assert (FORM, VERSIONS[version]) == (definitions["form"], definitions["version"])
    assert [package.note() for package in SOURCES[version]] == definitions["sources"]
    assert {"CC0-1.0"} == {source["license"] for source in definitions["sources"]}


@EVERY
def test_the_text_is_canonical(version: str) -> None:
    """Sorted names, no blanks and no time of making: nothing but the definitions decides the bytes."""
    text = gzip.decompress(packed(version)).decode()
    again = json.dumps(loaded(version), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert text == again
    assert packed(version)[4:8] == bytes(4)


@EVERY
def test_files_are_small(version: str) -> None:
    """A file of definitions stays below a megabyte."""
    assert path(version).stat().st_size < 1_000_000


@pytest.mark.parametrize(
    ("version", "types", "profiles", "value_sets", "code_systems", "invariants"),
    [
        ("4.0", 209, 739, 3265, 1266, 250),
        ("4.3", 206, 735, 3277, 1308, 255),
        ("5.0", 231, 759, 3362, 1391, 328),
    ],
)
def test_counts(  # noqa: PLR0917 - a row
    version: str, types: int, profiles: int, value_sets: int, code_systems: int, invariants: int
) -> None:
    """Nothing is lost or gained unnoticed when the files are made anew."""
    definitions = loaded(version)
    constraints = sum(one.get("constraint", False) for one in definitions["structures"])
    assert (types, profiles) == (len(definitions["structures"]) - constraints, constraints)
    assert (value_sets, code_systems, invariants) == (
        len(definitions["valueSets"]),
        len(definitions["codeSystems"]),
        len(definitions["invariants"]),
    )


@EVERY
def test_whatever_structures_refer_to_is_there(version: str) -> None:
    """Types, bases, profiles, targets, invariants and content references all resolve."""
    definitions = loaded(version)
    urls = {one["url"] for one in definitions["structures"]}
    types = {one["type"] for one in definitions["structures"] if not one.get("constraint")}
    for one in definitions["structures"]:
        identities = {each.get("id", each["path"]) for each in one["elements"]}
        assert one.get("base") in urls | {None}
        for each in one["elements"]:
            assert {kind["code"] for kind in each.get("types", [])} <= types
            for kind in each.get("types", []):
                assert set(kind.get("profiles", []) + kind.get("targets", [])) <= urls
            assert all(place < len(definitions["invariants"]) for place in each.get("invariants", []))
            assert each.get("contentReference", f"#{one['type']}").removeprefix("#") in identities


@EVERY
def test_what_required_bindings_name_is_there(version: str) -> None:
    """Every required binding of a type, and every maximum, has its value set."""
    definitions = loaded(version)
    named = set()
    for one in definitions["structures"]:
        for each in one["elements"] if not one.get("constraint") else []:
            binding = each.get("binding", {})
            named |= {binding["valueSet"]} if binding.get("strength") == "required" else set()
            named |= {binding["max"]} if "max" in binding else set()
    assert named - definitions["valueSets"].keys() <= WITHOUT_VALUE_SET


@EVERY
def test_every_rule_stands_once(version: str) -> None:
    """A type does not repeat what its base says, nor an element what its type's root says."""
    definitions = loaded(version)
    types = {one["url"]: one for one in definitions["structures"] if not one.get("constraint")}
    for one in types.values():
        roots, base = set[int](), one
        while "base" in base:
            base = types[base["base"]]
            roots |= set(base["elements"][0].get("invariants", []))
        own = [place for each in one["elements"] for place in each.get("invariants", [])]
        assert roots.isdisjoint(own)
        assert roots.isdisjoint(one["elements"][0].get("invariants", []))


@EVERY
def test_well_known_elements(version: str) -> None:
    """Samples of what the specification's pages show."""
    ids = (element(version, "Patient.id"), element(version, "Element.id"), element(version, "Extension.url"))
    assert ["id", "string", "uri"] == [one["types"][0]["code"] for one in ids]
    assert "max" not in element(version, "Observation.component")
    assert 1 == element(version, "Observation.status")["min"]
    assert (
        "#Observation.referenceRange"
        == (element(version, "Observation.component.referenceRange")["contentReference"])
    )
    assert {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/administrative-gender"} == (
        element(version, "Patient.gender")["binding"]
    )
    assert element(version, "Patient.active")["modifier"]
    assert all(not one["path"].endswith("string.value") for one in structure(version, "string")["elements"])


@EVERY
def test_code_lists(version: str) -> None:
    """Lists that are known in full are closed, and those that are not say so."""
    value_sets = loaded(version)["valueSets"]
    gender = value_sets["http://hl7.org/fhir/ValueSet/administrative-gender"]
    assert {
        "codes": {"http://hl7.org/fhir/administrative-gender": ["female", "male", "other", "unknown"]}
    } == (gender)
    currencies = value_sets["http://hl7.org/fhir/ValueSet/currencies"]
    assert {"urn:iso:std:iso:4217"} == currencies["codes"].keys()
    assert {"EUR", "VES"} <= set(currencies["codes"]["urn:iso:std:iso:4217"])
    assert "open" not in currencies
    assert {"open": True, "systems": ["urn:ietf:bcp:13"]} == (
        value_sets["http://hl7.org/fhir/ValueSet/mimetypes"]
    )
    assert value_sets["http://hl7.org/fhir/ValueSet/observation-codes"]["open"]


@EVERY
def test_abstract_codes_are_no_values_but_are_known(version: str) -> None:
    """`_ActEncounterCode` groups codes of HL7 v3; it is in the code system and in no value set."""
    system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    value_set = "http://terminology.hl7.org/ValueSet/v3-ActEncounterCode"
    definitions = loaded(version)
    assert "_ActEncounterCode" in definitions["codeSystems"][system]["codes"]
    codes = definitions["valueSets"][value_set]["codes"][system]
    assert "AMB" in codes
    assert "_ActEncounterCode" not in codes


def test_extensions_may_stand_where_hl7_allows_them_today() -> None:
    """R4's own context of an extension is widened by the one in HL7's package of extensions."""
    contexts = {one["expression"] for one in structure("4.0", "event-location")["context"]}
    assert {"Media", "MedicationDispense"} <= contexts


def test_no_published_error_is_left_and_every_correction_is_used() -> None:
    """The table of corrections is neither incomplete nor longer than needed."""
    used = {rule.get("expression", "") for version in VERSIONS for rule in loaded(version)["invariants"]}
    assert [] == [one.keys for one in CORRECTIONS if one.published in used]
    assert [] == [one.keys for one in CORRECTIONS if one.corrected not in used]


def test_an_unknown_version_is_refused() -> None:
    """Only versions with definitions can be chosen."""
    with pytest.raises(KeyError, match=r"4\.0, 4\.3, 5\.0"):
        packed("3.0")
