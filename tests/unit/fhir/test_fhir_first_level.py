"""The first-level validator names what is wrong, where, and by which rule."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caregrid.fhir import FirstLevelValidator, Verdict, primitives, rules, strict_json
from caregrid.records import RecordFormat

R4, R4B, R5 = RecordFormat.FHIR_R4_JSON, RecordFormat.FHIR_R4B_JSON, RecordFormat.FHIR_R5_JSON
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
VALIDATOR = FirstLevelValidator()


def judge(resource: Any, record_format: RecordFormat = R4) -> Verdict:
    """Return the verdict on a value written as JSON."""
    return VALIDATOR.validate(json.dumps(resource).encode(), record_format)


def faults(verdict: Verdict) -> list[tuple[str, str]]:
    """Return rule and path of each issue."""
    issues = verdict.outcome["issue"]
    return [(each["details"]["coding"][0]["code"], each.get("expression", [""])[0]) for each in issues]


def extension(**value: Any) -> dict[str, Any]:
    """Return an observation with one extension."""
    return {**OBSERVATION, "extension": [{"url": "urn:x", **value}]}


@pytest.mark.parametrize("record_format", [R4, R4B, R5])
def test_sound_resource_passes(record_format: RecordFormat) -> None:
    """A minimal sound resource is valid in every release, and the outcome says so."""
    verdict = judge(OBSERVATION, record_format)
    assert verdict.valid
    assert verdict.resource_type == "Observation"
    assert faults(verdict) == [("all-ok", "")]
    assert verdict.outcome["issue"][0]["severity"] == "information"


@pytest.mark.parametrize(
    ("content", "rule", "code"),
    [
        (b"", "empty", "required"),
        (b'{"resourceType":"\xff"}', "utf-8", "invalid"),
        (json.dumps(OBSERVATION).encode("utf-16"), "utf-8", "invalid"),
        (b'\xef\xbb\xbf{"resourceType":"Patient"}', "json", "structure"),
        (b'{"resourceType":"Patient"', "json", "structure"),
        (b'{"resourceType":"Patient"} {}', "json", "structure"),
        (b'{"resourceType":"Patient","x":NaN}', "json-nan", "value"),
        (b'{"resourceType":"Patient","x":-Infinity}', "json-nan", "value"),
        (b'{"resourceType":"Patient","x":' + b"9" * 1001 + b"}", "json-long-number", "too-long"),
        (b'{"resourceType":"Patient","x":0.' + b"9" * 1001 + b"}", "json-long-number", "too-long"),
        (b'{"x":' * 100_000, "json-depth", "too-costly"),
        (b"[]", "resource", "structure"),
        (b'"Patient"', "resource", "structure"),
        (b"{}", "resource-type", "required"),
        (b'{"resourceType":["Patient"]}', "resource-type", "required"),
        (b'{"resourceType":"Patiens"}', "resource-type-unknown", "value"),
        (b'{"resourceType":"HumanName"}', "resource-type-unknown", "value"),
        (b'{"resourceType":"DomainResource"}', "resource-type-unknown", "value"),
        (b'{"resourceType":"__class__"}', "resource-type-unknown", "value"),
    ],
)
def test_unreadable_content_is_refused(content: bytes, rule: str, code: str) -> None:
    """What is no JSON object of a known kind gets one issue of its own rule and no resource type."""
    verdict = VALIDATOR.validate(content, R4)
    assert not verdict.valid
    assert verdict.resource_type is None
    assert [(rule, "")] == faults(verdict)
    assert verdict.outcome["issue"][0]["code"] == code


def test_syntax_error_is_located() -> None:
    """The place of a syntax error is told as line and column."""
    verdict = VALIDATOR.validate(b'{"resourceType":\n  "Patient",,', R4)
    assert (
        verdict.outcome["issue"][0]["diagnostics"]
        == "the content is not JSON: the fault is at line 2, column 13"
    )


@pytest.mark.parametrize(
    ("changes", "rule", "path"),
    [
        ({"staus": "final"}, "property", "Observation"),
        ({"fhir_comments": "x"}, "property", "Observation"),
        ({"status__ext": {"id": "x"}}, "property", "Observation"),
        ({"status": None}, "null", "Observation.status"),
        ({"status": ["final"]}, "no-array", "Observation.status"),
        ({"status": "done"}, "binding", "Observation.status"),
        ({"status": ""}, "empty-value", "Observation.status"),
        ({"code": {}}, "empty-value", "Observation.code"),
        ({"code": {"id": "x"}}, "ele-1", "Observation.code"),
        ({"code": '{"text":"x"}'}, "object", "Observation.code"),
        ({"code": {"resourceType": "CodeableConcept", "text": "x"}}, "property", "Observation.code"),
        ({"note": {"text": "x"}}, "array", "Observation.note"),
        ({"note": []}, "empty-value", "Observation.note"),
        ({"note": [None]}, "null", "Observation.note[0]"),
        ({"note": [{}]}, "empty-value", "Observation.note[0]"),
        ({"note": [{"time": "2020-01-01"}]}, "cardinality", "Observation.note[0].text"),
        ({"component": [{"valueString": "x"}]}, "cardinality", "Observation.component[0].code"),
        ({"valueString": "x", "valueInteger": 1}, "choice", "Observation.value[x]"),
        ({"valueQuantity": {"value": "5"}}, "json-number", "Observation.valueQuantity.value"),
        ({"valueInteger": 1.0}, "json-integer", "Observation.valueInteger"),
        ({"valueInteger": True}, "json-integer", "Observation.valueInteger"),
        ({"valueBoolean": "true"}, "json-boolean", "Observation.valueBoolean"),
        ({"valueString": 5}, "json-string", "Observation.valueString"),
        ({"effectiveDateTime": 1577836800}, "json-string", "Observation.effectiveDateTime"),
        ({"valueString": "\ud800"}, "unicode", "Observation.valueString"),
        ({"valueString": "x" * (1024 * 1024 + 1)}, "string-length", "Observation.valueString"),
        ({"id": "x" * 65}, "type-id", "Observation.id"),
        ({"id": "a_b"}, "type-id", "Observation.id"),
        ({"implicitRules": "a b"}, "type-uri", "Observation.implicitRules"),
        ({"effectiveDateTime": "2019-02-29"}, "type-dateTime", "Observation.effectiveDateTime"),
        ({"effectiveDateTime": "2019-02-28T10:00:00"}, "type-dateTime", "Observation.effectiveDateTime"),
        ({"issued": "2019-02-28"}, "type-instant", "Observation.issued"),
        ({"valueTime": "24:00:00"}, "type-time", "Observation.valueTime"),
        ({"valueInteger": 2**31}, "type-integer", "Observation.valueInteger"),
        ({"_status": {}}, "empty-value", "Observation.status"),
        ({"_status": [{"id": "x"}]}, "no-array", "Observation.status"),
        ({"contained": [{"resourceType": "Patiens"}]}, "resource-type-unknown", "Observation.contained[0]"),
        ({"contained": [{"id": "x"}]}, "resource-type", "Observation.contained[0]"),
        ({"contained": ["Patient"]}, "resource", "Observation.contained[0]"),
        (
            {"contained": [{"resourceType": "Patient", "gender": "x"}]},
            "binding",
            "Observation.contained[0].gender",
        ),
        (
            {"contained": [{"resourceType": "Patient", "birthDate": "2020-13"}]},
            "type-date",
            "Observation.contained[0].birthDate",
        ),
    ],
)
def test_fault_is_named_and_located(changes: dict[str, Any], rule: str, path: str) -> None:
    """Each single fault in a sound resource gives exactly one issue, of the right rule at the right place."""
    verdict = judge({**OBSERVATION, **changes})
    assert not verdict.valid
    assert verdict.resource_type == "Observation"
    assert faults(verdict) == [(rule, path)]
    assert verdict.outcome["issue"][0]["severity"] == "error"


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"valueBase64Binary": "YQ"}, "type-base64Binary"),
        ({"valueBase64Binary": "Y==="}, "type-base64Binary"),
        ({"valueBase64Binary": "YQ*="}, "type-base64Binary"),
        ({"valueCanonical": "a b"}, "type-canonical"),
        ({"valueCode": "a  b"}, "type-code"),
        ({"valueDate": "2020-1"}, "type-date"),
        ({"valueId": "ab\n"}, "type-id"),
        ({"valueOid": "1.2.3"}, "type-oid"),
        ({"valueOid": "urn:oid:3.1"}, "type-oid"),
        ({"valuePositiveInt": 0}, "type-positiveInt"),
        ({"valueUnsignedInt": -1}, "type-unsignedInt"),
        ({"valueUrl": "http://a b"}, "type-url"),
        ({"valueUuid": "c757873d-ec9a-4326-a141-556f43239520"}, "type-uuid"),
    ],
)
def test_primitive_must_be_written_as_specified(value: dict[str, Any], rule: str) -> None:
    """Each primitive type has its own rule, told at the element that breaks it."""
    (key,) = value
    assert faults(judge(extension(**value))) == [(rule, f"Observation.extension[0].{key}")]


@pytest.mark.parametrize(
    "value",
    [
        {"valueBase64Binary": "YWJj\r\nZGVm"},
        {"valueDateTime": "2016-12-31T23:59:60Z"},
        {"valueDateTime": "2019-05"},
        {"valueDecimal": 5},
        {"valueInteger": -(2**31)},
        {"valueMarkdown": "*x*"},
        {"valueOid": "urn:oid:2.16.840.1"},
        {"valueTime": "23:59:59.123456789"},
        {"valueUrl": "mllp://host:2575"},
        {"valueUrl": "::"},
        {"valueUuid": "urn:uuid:c757873d-ec9a-1326-a141-556f43239520"},
    ],
)
def test_primitive_is_not_refused_by_the_libraries_narrower_view(value: dict[str, Any]) -> None:
    """Forms that FHIR allows pass, among them UUIDs and URLs that the library alone would refuse."""
    assert judge(extension(**value)).valid


def test_primitive_may_have_an_id_beside_its_value() -> None:
    """An id is all that needs to stand behind `_birthDate` when there is a birth date."""
    assert judge({"resourceType": "Patient", "birthDate": "1970-01-01", "_birthDate": {"id": "x"}}).valid


def test_decimals_are_read_exactly() -> None:
    """A decimal with digits that a float cannot hold is read as it is written."""
    assert strict_json.parse(b'{"a":0.10000000000000000000000001}') == {
        "a": Decimal("0.10000000000000000000000001")
    }


def test_repeated_property_is_refused_where_it_is() -> None:
    """An object that says one thing twice is refused at its place, at the top and deep inside."""
    top = VALIDATOR.validate(b'{"resourceType":"Patient","active":true,"active":false}', R4)
    deep = VALIDATOR.validate(b'{"resourceType":"Patient","name":[{"text":"a","text":"b"}]}', R4)
    assert faults(top) == [("json-repeated-property", "Patient")]
    assert faults(deep) == [("json-repeated-property", "Patient.name[0]")]


def test_missing_required_elements_are_named_one_by_one() -> None:
    """Every required element that is missing has its own issue."""
    expected = [("cardinality", "Observation.code"), ("cardinality", "Observation.status")]
    assert sorted(faults(judge({"resourceType": "Observation"}))) == expected


def test_required_choice_is_missed() -> None:
    """A required element of several types is missed under its generic name."""
    verdict = judge(
        {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "subject": {"display": "x"},
        }
    )
    assert faults(verdict) == [("choice-missing", "MedicationRequest.medication[x]")]


def test_extension_may_stand_for_a_required_primitive() -> None:
    """A required primitive without value is fine when an extension says why, as FHIR allows."""
    absent = {
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}
        ]
    }
    resource = {"resourceType": "Observation", "_status": absent, "code": {"text": "x"}}
    assert judge(resource).valid
    assert faults(judge({**resource, "_status": {"id": "a"}})) == [("cardinality", "Observation.status")]


def test_null_in_a_list_needs_an_extension_beside_it() -> None:
    """A null among primitives holds the place of a value that is only extended; alone it means nothing."""
    beside = {"given": ["A", None], "_given": [None, {"extension": [{"url": "urn:x", "valueCode": "y"}]}]}
    patient = {"resourceType": "Patient"}
    assert judge({**patient, "name": [beside]}).valid
    alone = judge({**patient, "name": [{"given": ["A", None]}]})
    assert faults(alone) == [("null-alone", "Patient.name[0].given[1]")]


@pytest.mark.parametrize(("depth", "expected"), [(60, "all-ok"), (80, "json-depth")])
def test_nesting_is_bounded(depth: int, expected: str) -> None:
    """Nesting up to the bound is examined to its end, and deeper nesting refused."""
    nested: dict[str, Any] = {"url": "urn:x", "valueCode": "y"}
    for _ in range(depth):
        nested = {"url": "urn:x", "extension": [nested]}
    assert faults(judge({**OBSERVATION, "extension": [nested]}))[0][0] == expected


def test_number_of_issues_is_bounded() -> None:
    """A resource with a thousand faults gets an outcome of bounded size."""
    by_walk = judge({**OBSERVATION, **{f"x{index}": 0 for index in range(1000)}})
    by_library = judge({**OBSERVATION, "note": [{"text": "x", "time": "never"}] * 1000})
    assert len(by_walk.outcome["issue"]) == rules.MAX_ISSUES
    assert len(by_library.outcome["issue"]) == rules.MAX_ISSUES


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content over the limit is refused unparsed."""
    monkeypatch.setattr(strict_json, "MAX_JSON_BYTES", 10)
    assert faults(judge(OBSERVATION)) == [("too-large", "")]


def test_releases_differ_in_their_resources() -> None:
    """R4 knows neither what R4B added nor can we check what R4B dropped; R5 has elements of its own."""
    ingredient = {"resourceType": "Ingredient"}
    assert faults(judge(ingredient, R4)) == [("resource-type-unknown", "")]
    assert judge(ingredient, R4B).resource_type == "Ingredient"
    product = {"resourceType": "MedicinalProduct"}
    assert faults(judge(product, R4)) == [("resource-type-unsupported", "")]
    assert faults(judge(product, R4B)) == [("resource-type-unknown", "")]
    only_r5 = {**OBSERVATION, "instantiatesCanonical": "urn:x"}
    assert judge(only_r5, R5).valid
    assert faults(judge(only_r5, R4)) == [("property", "Observation")]


def test_integer64_is_a_string_in_r5() -> None:
    """R5 writes 64-bit integers as JSON strings, since JSON readers round big numbers."""
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"size": "9"}}],
    }
    assert judge(document, R5).valid
    document["content"] = [{"attachment": {"size": 9}}]
    assert faults(judge(document, R5)) == [("json-string", "DocumentReference.content[0].attachment.size")]


@pytest.mark.parametrize(
    ("content", "record_format", "expected"),
    [
        (bytes(128) + b"DICM", RecordFormat.DICOM, "all-ok"),
        (bytes(127) + b"DICM", RecordFormat.DICOM, "dicom"),
        (b"DICM", RecordFormat.DICOM, "dicom"),
        (b"", RecordFormat.DICOM, "empty"),
        (b"\0", RecordFormat.BINARY, "all-ok"),
        (b"", RecordFormat.BINARY, "empty"),
    ],
)
def test_other_formats(content: bytes, record_format: RecordFormat, expected: str) -> None:
    """DICOM is known by its magic, and anything but nothing is a binary record."""
    verdict = VALIDATOR.validate(content, record_format)
    assert faults(verdict) == [(expected, "")]
    assert verdict.valid == (expected == "all-ok")
    assert verdict.resource_type is None


def test_model_classes_load_late_and_on_demand() -> None:
    """Importing the package loads no model class; warming up loads those of the common resources."""
    script = """if True:
        import sys
        from caregrid.fhir import FirstLevelValidator
        def loaded(): return {name for name in sys.modules if name.startswith("fhir.resources.R4B.")}
        assert not loaded()
        FirstLevelValidator().warm_up()
        before = loaded()
        assert {"fhir.resources.R4B.observation", "fhir.resources.R4B.humanname"} <= before
        content = b'{"resourceType":"Observation","status":"final","code":{"text":"x"}}'
        from caregrid.records import RecordFormat
        assert FirstLevelValidator().validate(content, RecordFormat.FHIR_R4_JSON).valid
        assert loaded() == before
    """
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


ANY_FORMAT = st.sampled_from(RecordFormat)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
some_json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
#: Properties of resources with values that hardly ever fit.
like_fhir = st.builds(
    lambda kind, members: {"resourceType": kind, **members},
    st.sampled_from(["Observation", "Patient", "Bundle", "Binary", "Parameters"]) | st.text(max_size=5),
    st.dictionaries(
        st.sampled_from(
            ["id", "_id", "meta", "text", "contained", "extension", "status", "_status", "code", "name",
             "valueQuantity", "valueDateTime", "valueTime", "parameter", "data", "contentType", "entry"]
        ),
        some_json | st.lists(st.dictionaries(st.sampled_from(["id", "name", "resource", "url"]), some_json)),
        max_size=5,
    ),
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | (some_json | like_fhir).map(json.dumps).map(str.encode), ANY_FORMAT)
def test_any_content_gets_a_verdict(content: bytes, record_format: RecordFormat) -> None:
    """Whatever comes in, no exception comes out, and the outcome is itself a valid FHIR resource."""
    verdict = VALIDATOR.validate(content, record_format)
    assert judge(verdict.outcome, R4).valid
    assert judge(verdict.outcome, R5).valid
    assert verdict.valid == (faults(verdict) == [("all-ok", "")])


def test_unusual_whitespace_in_base64_does_not_take_long() -> None:
    """A hostile value that nearly fits is refused in linear time."""
    assert primitives.fault("base64Binary", "= " * 200_000) == rules.lexical("base64Binary")
