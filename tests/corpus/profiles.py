"""Profiles: HL7's vital signs, and one that is supplied."""

from __future__ import annotations

from typing import Any, Final

from tests.corpus.bases import LOINC, OBSERVATION, PATIENT, UCUM, concept
from tests.corpus.cases import DROP, Case, Resource, bad, good, group

_HL7: Final = "http://hl7.org/fhir/StructureDefinition/"
_VITAL: Final = concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")


def _measured(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


WEIGHT: Final[Resource] = OBSERVATION | {
    "meta": {"profile": [f"{_HL7}bodyweight"]},
    "category": [_VITAL],
    "code": concept(LOINC, "29463-7"),
    "valueQuantity": _measured(72.5, "kg"),
}
PRESSURE: Final[Resource] = {
    key: value
    for key, value in (
        OBSERVATION
        | {
            "meta": {"profile": [f"{_HL7}bp"]},
            "category": [_VITAL],
            "code": concept(LOINC, "85354-9"),
            "component": [
                {"code": concept(LOINC, "8480-6"), "valueQuantity": _measured(120, "mm[Hg]")},
                {"code": concept(LOINC, "8462-4"), "valueQuantity": _measured(80, "mm[Hg]")},
            ],
        }
    ).items()
    if key != "valueQuantity"
}

_VITALS: Final = group(
    "profile-vital-signs",
    "observation-vitalsigns.html",
    [
        good("a weight", WEIGHT),
        good("a weight in grams", WEIGHT, {"valueQuantity": _measured(3200, "g")}),
        good("a pressure", PRESSURE),
        good(
            "a pressure with another component",
            PRESSURE,
            {"component[2]": {"code": concept(LOINC, "8478-0"), "valueQuantity": _measured(93, "mm[Hg]")}},
        ),
        good("the components in another order", PRESSURE, {"component": PRESSURE["component"][::-1]}),
        bad("a weight in metres", WEIGHT, {"valueQuantity": _measured(72.5, "m")}),
        bad("a weight without a unit's code", WEIGHT, {"valueQuantity.code": DROP}),
        bad(
            "a weight of another system of units", WEIGHT, {"valueQuantity.system": "http://spital.example/u"}
        ),
        bad("a weight without category", WEIGHT, {"category": DROP}),
        bad(
            "a weight of another category",
            WEIGHT,
            {
                "category": [
                    concept("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")
                ]
            },
        ),
        bad("a weight of nobody", WEIGHT, {"subject": DROP}),
        bad("a weight of no time", WEIGHT, {"effectiveDateTime": DROP}),
        bad("a weight in words", WEIGHT, {"valueQuantity": DROP, "valueString": "72"}),
        bad("a weight by another code", WEIGHT, {"code": concept(LOINC, "718-7")}),
        bad("a weight of no value and no reason", WEIGHT, {"valueQuantity": DROP}),
        good(
            "a weight that is not known",
            WEIGHT,
            {
                "valueQuantity": DROP,
                "dataAbsentReason": concept(
                    "http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown"
                ),
            },
        ),
        bad("a pressure without its lower", PRESSURE, {"component[1]": DROP}),
        bad("a pressure without either", PRESSURE, {"component": DROP}),
        bad("a pressure in another unit", PRESSURE, {"component[0].valueQuantity": _measured(16, "kPa")}),
    ],
)

_CLAIMS: Final = group(
    "profile-claimed",
    "profiling.html#assertions",
    [
        good(
            "a profile that nobody supplied",
            PATIENT,
            {"meta": {"profile": ["http://spital.example/StructureDefinition/unknown"]}},
        ),
        # Nobody can check it, and no rule says that a claim must be resolvable: a warning.
        good("one of HL7's that is none", PATIENT, {"meta": {"profile": [f"{_HL7}nothing"]}}),
        bad("one of another resource", PATIENT, {"meta": {"profile": [f"{_HL7}bodyweight"]}}),
        good("the resource's own", PATIENT, {"meta": {"profile": [f"{_HL7}Patient"]}}),
        bad("another resource's own", PATIENT, {"meta": {"profile": [f"{_HL7}Observation"]}}),
    ],
)

URL: Final = "http://spital.example/fhir/StructureDefinition/patient"
_ITSELF: Final = PATIENT | {"meta": {"profile": [URL]}}


def _element(path: str, **members: Any) -> Resource:
    return {"id": path, "path": path, **members}


#: Asks for one AHV number, a birth date and a city; refuses photographs.
SUPPLIED: Final[Resource] = {
    "resourceType": "StructureDefinition",
    "url": URL,
    "name": "SpitalPatient",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "baseDefinition": f"{_HL7}Patient",
    "derivation": "constraint",
    "differential": {
        "element": [
            _element("Patient"),
            _element(
                "Patient.identifier",
                min=1,
                slicing={"discriminator": [{"type": "value", "path": "system"}], "rules": "open"},
            ),
            _element("Patient.identifier", min=1, max="1", sliceName="ahv")
            | {"id": "Patient.identifier:ahv"},
            _element("Patient.identifier.system", min=1, fixedUri="urn:oid:2.16.756.5.32")
            | {"id": "Patient.identifier:ahv.system"},
            _element(
                "Patient.identifier.value",
                min=1,
                constraint=[
                    {
                        "key": "ahv-1",
                        "severity": "error",
                        "human": "756 and ten digits",
                        "expression": "matches('^756[0-9]{10}$')",
                    }
                ],
            )
            | {"id": "Patient.identifier:ahv.value"},
            _element("Patient.birthDate", min=1),
            _element("Patient.photo", max="0"),
            _element("Patient.address.city", min=1),
            _element(
                "Patient.maritalStatus",
                patternCodeableConcept=concept("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "M"),
            ),
        ]
    },
}
_AHV: Final = {"system": "urn:oid:2.16.756.5.32", "value": "7561234567897"}
_RIGHT: Final = _ITSELF | {"identifier": [_AHV]}

_SUPPLIED: Final = group(
    "profile-supplied",
    "profiling.html, the profile's own differential",
    [
        good("as it asks", _RIGHT),
        good("another identifier besides", _RIGHT, {"identifier[1]": PATIENT["identifier"][0]}),
        good("the other one first", _RIGHT, {"identifier": [PATIENT["identifier"][0], _AHV]}),
        bad("no AHV number", _ITSELF),
        bad("two AHV numbers", _RIGHT, {"identifier[1]": _AHV}),
        bad("an AHV number that is none", _RIGHT, {"identifier[0].value": "123"}),
        bad("an AHV number without value", _RIGHT, {"identifier[0].value": DROP}),
        bad("no identifier", _RIGHT, {"identifier": DROP}),
        bad("no birth date", _RIGHT, {"birthDate": DROP}),
        bad("a photograph", _RIGHT, {"photo": [{"url": "http://spital.example/p.png"}]}),
        bad("an address without city", _RIGHT, {"address[0].city": DROP}),
        good("no address", _RIGHT, {"address": DROP}),
        good(
            "married",
            _RIGHT,
            {"maritalStatus": concept("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "M")},
        ),
        bad(
            "not married",
            _RIGHT,
            {"maritalStatus": concept("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "S")},
        ),
    ],
    profiles=[SUPPLIED],
)

CASES: Final[list[Case]] = [*_VITALS, *_CLAIMS, *_SUPPLIED]
