"""Value sets are expanded as https://hl7.org/fhir/R4/valueset.html#compositions says."""

from __future__ import annotations

from typing import Any

import pytest

from caregrid.fhir.definitions.expansion import Expansion, Terminology

ANIMALS = "https://example.org/animals"
SET = "https://example.org/ValueSet/"


def code(name: str, *children: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """A concept."""
    return {
        "code": name,
        "display": name.title(),
        "concept": list(children),
        "property": [{"code": key, "valueCode": value} for key, value in properties.items()],
    }


ABSTRACT = code("animal") | {"property": [{"code": "notSelectable", "valueBoolean": True}]}


@pytest.fixture(name="terminology")
def with_animals() -> Terminology:
    """A code system with a hierarchy, properties, an abstract code and a retired one."""
    terminology = Terminology()
    terminology.add(
        {
            "resourceType": "CodeSystem",
            "url": ANIMALS,
            "content": "complete",
            "concept": [
                ABSTRACT
                | {
                    "concept": [
                        code("mammal", code("dog", legs="four"), code("bat", legs="two")),
                        code("bird", code("hen", legs="two"), code("dodo", status="retired")),
                    ]
                },
                code("platypus", parent="mammal", subsumedBy="bird"),
            ],
        }
    )
    return terminology


def expanded(terminology: Terminology, include: Any, *exclude: Any, **more: Any) -> dict[str, Any]:
    """The compact form of a value set."""
    parts = include if isinstance(include, list) else [include]
    terminology.add(
        {
            "resourceType": "ValueSet",
            "url": SET + "test",
            "compose": {"include": parts, "exclude": list(exclude), **more},
        }
    )
    return terminology.expand(SET + "test|1.0").compiled()


def filtered(name: str, operation: str, value: str) -> dict[str, Any]:
    """Part of a compose, with a filter."""
    return {"system": ANIMALS, "filter": [{"property": name, "op": operation, "value": value}]}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"system": ANIMALS}, "bat bird dodo dog hen mammal platypus"),
        ({"system": ANIMALS, "concept": [{"code": "dog"}, {"code": "hen"}]}, "dog hen"),
        (filtered("concept", "is-a", "mammal"), "bat dog mammal platypus"),
        (filtered("concept", "descendent-of", "mammal"), "bat dog platypus"),
        (filtered("concept", "is-not-a", "mammal"), "bird dodo hen"),
        (filtered("concept", "in", "dog,hen,unicorn"), "dog hen"),
        (filtered("concept", "not-in", "dog,hen"), "bat bird dodo mammal platypus"),
        (filtered("concept", "=", "dog"), "dog"),
        (filtered("code", "regex", "d.*"), "dodo dog"),
        (filtered("legs", "=", "two"), "bat hen"),
        (filtered("legs", "in", "two,four"), "bat dog hen"),
        (filtered("legs", "exists", "true"), "bat dog hen"),
        (filtered("legs", "exists", "false"), "bird dodo mammal platypus"),
    ],
)
def test_includes(terminology: Terminology, part: dict[str, Any], expected: str) -> None:
    """Whole systems, lists and filters; abstract codes are never values."""
    assert {"codes": {ANIMALS: expected.split()}} == expanded(terminology, part)


def test_filters_of_a_part_all_hold(terminology: Terminology) -> None:
    """Two filters are an "and"."""
    both = filtered("legs", "=", "two")
    both["filter"].append({"property": "concept", "op": "is-a", "value": "mammal"})
    assert {"codes": {ANIMALS: ["bat"]}} == expanded(terminology, both)


def test_exclusion_and_inactive_codes(terminology: Terminology) -> None:
    """What is excluded is gone, and so is what is retired if the value set wants none."""
    birds = expanded(terminology, filtered("concept", "is-a", "bird"), filtered("concept", "=", "hen"))
    assert {"codes": {ANIMALS: ["bird", "dodo", "platypus"]}} == birds


def test_inactive_codes_can_be_left_out(terminology: Terminology) -> None:
    """A value set says whether it wants them; it does if it says nothing."""
    birds = expanded(terminology, filtered("concept", "is-a", "bird"), inactive=False)
    assert {"codes": {ANIMALS: ["bird", "hen", "platypus"]}} == birds


def test_imported_value_sets(terminology: Terminology) -> None:
    """Several in one part are an "and", several parts an "or"."""
    for name, of in (("mammals", "mammal"), ("birds", "bird")):
        part = filtered("concept", "is-a", of)
        terminology.add({"resourceType": "ValueSet", "url": SET + name, "compose": {"include": [part]}})
    both = {"valueSet": [SET + "mammals", SET + "birds"]}
    assert {"codes": {ANIMALS: ["platypus"]}} == expanded(terminology, both)


def test_a_union_of_parts(terminology: Terminology) -> None:
    """Codes of several parts, and of several systems."""
    parts = [
        filtered("concept", "=", "dog"),
        filtered("concept", "=", "hen"),
        {"system": "urn:x", "concept": [{"code": "1"}]},
    ]
    assert {"codes": {ANIMALS: ["dog", "hen"], "urn:x": ["1"]}} == expanded(terminology, parts)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"system": "http://snomed.info/sct"}, {"systems": ["http://snomed.info/sct"], "open": True}),
        ({"system": "urn:x", "filter": [{"property": "a", "op": "=", "value": "b"}]}, {"open": True}),
        (filtered("legs", "generalizes", "two"), {"open": True}),
        ({"valueSet": [SET + "unknown"]}, {"open": True}),
        ({"valueSet": [SET + "test"]}, {"open": True}),
        ({}, {"open": True}),
        (filtered("concept", "=", "unicorn"), {"open": True}),
    ],
)
def test_what_is_not_known_is_open(
    terminology: Terminology, part: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Unknown systems, filters and value sets, a set that contains itself, and one with nothing in it."""
    assert expected == expanded(terminology, part)


def test_an_unknown_system_meets_a_list() -> None:
    """Of all of SNOMED CT and a list of its codes, the list is common to both."""
    whole = Expansion(systems={"sct"}, open=False)
    some = Expansion(codes={"sct": {"1"}, "other": {"2"}})
    assert ({"sct": {"1"}}, set[str]()) == (
        {key: value for key, value in whole.within(some).codes.items() if value},
        whole.within(some).systems,
    )
    assert {"codes": {"other": ["2"]}} == some.without(whole).compiled()


def test_expansions_that_come_enumerated() -> None:
    """A value set without a definition has the codes of its expansion, abstract groups left out."""
    terminology = Terminology()
    contains = [{"system": "s", "code": "g", "abstract": True, "contains": [{"system": "s", "code": "a"}]}]
    terminology.add({"resourceType": "ValueSet", "url": SET + "e", "expansion": {"contains": contains}})
    terminology.add({"resourceType": "ValueSet", "url": SET + "empty"})
    assert {"codes": {"s": ["a"]}} == terminology.expand(SET + "e").compiled()
    assert {"open": True} == terminology.expand(SET + "empty").compiled()


def test_code_systems_of_one_url_are_united() -> None:
    """The codes of all; complete only if none of them says that codes are missing."""
    terminology = Terminology()
    for content, name in (("complete", "a"), ("not-present", "b"), ("supplement", "c")):
        terminology.add(
            {
                "resourceType": "CodeSystem",
                "url": "s",
                "content": content,
                "caseSensitive": True,
                "concept": [code(name)],
            }
        )
    assert {"codes": {"a": "A", "b": "B"}, "complete": True, "caseSensitive": True} == (
        terminology.systems["s"].compiled()
    )
    terminology.add({"resourceType": "CodeSystem", "url": "s", "content": "fragment"})
    assert "complete" not in terminology.systems["s"].compiled()


def test_case_matters_unless_the_first_says_otherwise() -> None:
    """Codes are compared with case where nothing is said."""
    terminology = Terminology()
    for url, said in (("a", {}), ("b", {"caseSensitive": False}), ("b", {"caseSensitive": True})):
        terminology.add({"resourceType": "CodeSystem", "url": url, "content": "complete", **said})
    assert [True, False] == [
        terminology.systems[url].compiled().get("caseSensitive", False) for url in ("a", "b")
    ]
