"""FHIR's XML is read as the JSON that says the same."""

from __future__ import annotations

import io
from typing import Any

import pytest

from definitions.fhir_xml import FhirXml
from tests.unit.fhir.test_definitions import loaded


@pytest.fixture(name="reader", scope="module")
def for_r4() -> FhirXml:
    """A reader that knows R4."""
    return FhirXml(loaded("4.0")["structures"])


def read(reader: FhirXml, text: str) -> list[dict[str, Any]]:
    """The value sets of a Bundle."""
    bundle = f'<Bundle xmlns="http://hl7.org/fhir"><entry><resource>{text}</resource></entry></Bundle>'
    return list(reader.resources(io.BytesIO(bundle.encode()), ["ValueSet", "StructureDefinition"]))


def test_lists_numbers_and_nested_elements(reader: FhirXml) -> None:
    """What repeats becomes a list even if it comes once; booleans and numbers become JSON's."""
    text = """<ValueSet><id value="v"/><experimental value="false"/>
        <text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">x</div></text>
        <compose><inactive value="true"/><include><system value="urn:s"/>
            <concept><code value="a"/><display value="A"/></concept></include></compose>
        <expansion><timestamp value="2020-01-01"/><total value="7"/></expansion></ValueSet>"""
    assert [
        {
            "resourceType": "ValueSet",
            "id": "v",
            "experimental": False,
            "compose": {
                "inactive": True,
                "include": [{"system": "urn:s", "concept": [{"code": "a", "display": "A"}]}],
            },
            "expansion": {"timestamp": "2020-01-01", "total": 7},
        }
    ] == read(reader, text)


def test_choices_extensions_and_content_references(reader: FhirXml) -> None:
    """Names of choices keep their type; attributes are members; nested parts may nest."""
    text = """<StructureDefinition><snapshot><element id="a"><path value="a"/>
        <type><extension url="u"><valueUrl value="id"/></extension><code value="c"/></type>
        <fixedQuantity><value value="1.5"/></fixedQuantity></element></snapshot></StructureDefinition>"""
    assert {
        "id": "a",
        "path": "a",
        "type": [{"extension": [{"url": "u", "valueUrl": "id"}], "code": "c"}],
        "fixedQuantity": {"value": 1.5},
    } == read(reader, text)[0]["snapshot"]["element"][0]
    nested = """<ValueSet><expansion><contains><code value="a"/>
        <contains><code value="b"/></contains></contains></expansion></ValueSet>"""
    assert [{"code": "a", "contains": [{"code": "b"}]}] == read(reader, nested)[0]["expansion"]["contains"]


def test_other_resources_are_passed_over(reader: FhirXml) -> None:
    """Only the kinds that are asked for are read."""
    assert [] == read(reader, '<Patient><id value="p"/></Patient>')
