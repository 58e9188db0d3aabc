"""What those who connect hospitals run into: nested places, documents, messages, odd but legal records."""

from __future__ import annotations

from typing import Final

from tests.corpus.bases import (
    ANSWERS,
    BINARY,
    COLLECTION,
    COMPOSITION,
    MESSAGE_4,
    OBSERVATION,
    P1,
    PARAMETERS,
    PATIENT,
    QUESTIONNAIRE,
    SERVICE_REQUEST,
    TRANSACTION,
    UCUM,
    concept,
    document,
    text,
)
from tests.corpus.cases import DROP, R4, Case, bad, good, group

_PART: Final = {"code": text("x"), "valueString": "y"}
_DOCUMENT: Final = document()
_SITE: Final = "http://spital.example/fhir"

_NESTED: Final = group(
    "nested",
    "elementdefinition.html#contentReference: nested elements follow the same rules",
    [
        bad(
            "a component's range of nothing",
            OBSERVATION,
            {"component": [_PART | {"referenceRange": [{"type": text("x")}]}]},
        ),
        bad(
            "an unknown member of a component's range",
            OBSERVATION,
            {"component": [_PART | {"referenceRange": [{"text": "x", "lower": 1}]}]},
        ),
        good(
            "a component's range", OBSERVATION, {"component": [_PART | {"referenceRange": [{"text": "x"}]}]}
        ),
        bad("two values of a component", OBSERVATION, {"component": [_PART | {"valueBoolean": True}]}),
        bad("a component without a code, with a value", OBSERVATION, {"component": [{"valueString": "x"}]}),
        bad(
            "an inner section of nothing",
            COMPOSITION,
            {"subject": DROP, "section[0].section": [{"title": "x"}]},
        ),
        bad(
            "an inner section's member",
            COMPOSITION,
            {"section[0].section": [{"title": "x", "text": PATIENT["text"], "note": "x"}]},
        ),
        bad("an inner item without linkId", QUESTIONNAIRE, {"item[1].item[0].linkId": DROP}),
        bad("an inner item's type", QUESTIONNAIRE, {"item[1].item[0].type": "bool"}),
        bad(
            "an inner display's code",
            QUESTIONNAIRE,
            {"item[1].item[0]": {"linkId": "2.1", "type": "display", "text": "x", "code": [{"code": "x"}]}},
        ),
        bad(
            "items and answers of an inner item",
            ANSWERS,
            {
                "item[0].answer[0].item": [
                    {"linkId": "1.1", "answer": [{"valueString": "x"}], "item": [{"linkId": "1.1.1"}]}
                ]
            },
        ),
        bad("an inner part of nothing", PARAMETERS, {"parameter[0]": {"name": "a", "part": [{"name": "b"}]}}),
        bad(
            "an inner part of two",
            PARAMETERS,
            {
                "parameter[0]": {
                    "name": "a",
                    "part": [{"name": "b", "valueCode": "x", "part": [{"name": "c", "valueCode": "x"}]}],
                }
            },
        ),
        bad("an entry's link without url", COLLECTION, {"entry[0].link": [{"relation": "self"}]}),
        bad("an address in a contact", PATIENT, {"contact[0].address": {"city": ["Zug"]}}),
        bad(
            "a period in a contact's name",
            PATIENT,
            {"contact[0].name.period": {"start": "2002-01-01T00:00:00Z", "end": "2001-01-01T00:00:00Z"}},
        ),
        bad(
            "a Bundle in a parameter that is broken",
            PARAMETERS,
            {"parameter[0]": {"name": "b", "resource": TRANSACTION | {"total": 1}}},
        ),
        good("a Bundle in a parameter", PARAMETERS, {"parameter[0]": {"name": "b", "resource": TRANSACTION}}),
        good(
            "a Bundle in a Bundle",
            COLLECTION,
            {
                "entry[2]": {
                    "fullUrl": "urn:uuid:0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a09",
                    "resource": COLLECTION | {"id": "inner"},
                }
            },
        ),
    ],
)

_RECORDS: Final = group(
    "records",
    "the resource's and the data type's pages",
    [
        good(
            "an unknown birth date",
            PATIENT,
            {
                "birthDate": DROP,
                "_birthDate": {
                    "extension": [
                        {
                            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                            "valueCode": "unknown",
                        }
                    ]
                },
            },
        ),
        good(
            "a name without family",
            PATIENT,
            {
                "name": [
                    {
                        "given": ["Ada"],
                        "_family": {
                            "extension": [
                                {
                                    "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                                    "valueCode": "unknown",
                                }
                            ]
                        },
                    }
                ]
            },
        ),
        good(
            "below what can be measured",
            OBSERVATION,
            {"valueQuantity.comparator": "<", "valueQuantity.value": 0.01},
        ),
        good(
            "nothing measured",
            OBSERVATION,
            {
                "valueQuantity": DROP,
                "dataAbsentReason": concept(
                    "http://terminology.hl7.org/CodeSystem/data-absent-reason", "not-performed"
                ),
                "status": "cancelled",
            },
        ),
        good("a negative value", OBSERVATION, {"valueQuantity.value": -3}),
        good(
            "text with markup", OBSERVATION, {"valueQuantity": DROP, "valueString": '<b>a & b</b> "c" \\ d'}
        ),
        good(
            "a note",
            OBSERVATION,
            {"note": [{"text": "* a\n* b", "time": "2024-02-29", "authorString": "Frei"}]},
        ),
        bad("a note without text", OBSERVATION, {"note": [{"authorString": "Frei"}]}),
        bad(
            "a note of two authors",
            OBSERVATION,
            {
                "note": [
                    {"text": "x", "authorString": "F", "authorReference": {"reference": "Practitioner/d1"}}
                ]
            },
        ),
        good(
            "a range of age",
            OBSERVATION,
            {
                "referenceRange": [
                    {"low": {"value": 1, "unit": "a", "system": UCUM, "code": "a"}, "text": "x"}
                ]
            },
        ),
        good(
            "a period of measuring",
            OBSERVATION,
            {"effectiveDateTime": DROP, "effectivePeriod": {"start": "2024-02-29T10:00:00Z"}},
        ),
        bad(
            "samples without origin",
            OBSERVATION,
            {"valueQuantity": DROP, "valueSampledData": {"dimensions": 1, "data": "1 2"}},
        ),
        bad("a rank of 0", PATIENT, {"telecom[0].rank": 0}),
        bad("a time of one digit", SERVICE_REQUEST, {"occurrenceTiming.repeat.timeOfDay": ["8:00"]}),
        bad("a Binary without its type", BINARY, {"contentType": DROP}),
        bad("a Binary that is no base64", BINARY, {"data": "Hello, world"}),
        bad("a name in words only, as a string", PATIENT, {"contact[0].name": "Berg"}),
        bad("the AHV number as the system", PATIENT, {"identifier[0].system": "756 1234 5678 97"}),
        bad("an HL7 v2 date", PATIENT, {"birthDate": "19700330"}),
        bad("an HL7 v2 gender", PATIENT, {"gender": "M"}),
        bad("a v2 result status", OBSERVATION, {"status": "F"}),
        bad("a German decimal", OBSERVATION, {"valueQuantity.value": "7,2"}),
        bad("a time of the server's zone", OBSERVATION, {"effectiveDateTime": "2024-02-29T10:00:00"}),
        bad("a code without its system, required", PATIENT, {"gender": {"coding": [{"code": "female"}]}}),
        bad("minutes past the hour", OBSERVATION, {"issued": "2024-02-29T10:00+01:00"}),
        good("issued", OBSERVATION, {"issued": "2024-02-29T10:00:00.000+01:00"}),
        good(
            "many languages",
            PATIENT,
            {
                "communication": [
                    {
                        "language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "de-CH"}]},
                        "preferred": True,
                    }
                ]
            },
        ),
        good(
            "a link to another record",
            PATIENT,
            {"link": [{"other": {"reference": "Patient/old"}, "type": "replaces"}]},
        ),
        good("several births", PATIENT, {"multipleBirthInteger": 2}),
        bad("several births, twice", PATIENT, {"multipleBirthInteger": 2, "multipleBirthBoolean": True}),
        good("a dead patient", PATIENT, {"deceasedBoolean": True, "active": False}),
    ],
)

_DOCUMENTS: Final = group(
    "bundle-document",
    "documents.html#content: what the Composition refers to is in the Bundle",
    [
        bad("the subject is not there", _DOCUMENT, {"entry[1]": DROP}),
        bad("the author is not there", _DOCUMENT, {"entry[2]": DROP}),
        bad(
            "a section's entry is not there",
            _DOCUMENT,
            {"entry[0].resource.section[0].entry": [{"reference": "Observation/none"}]},
        ),
        good(
            "a section's entry is there",
            _DOCUMENT,
            {
                "entry[0].resource.section[0].entry": [{"reference": "Observation/hb"}],
                "entry[3]": {"fullUrl": f"{_SITE}/Observation/hb", "resource": OBSERVATION},
            },
        ),
        good(
            "references are absolute",
            _DOCUMENT,
            {"entry[0].resource.subject.reference": f"{_SITE}/Patient/p1"},
        ),
        good(
            "references are UUIDs",
            _DOCUMENT,
            {"entry[0].resource.subject.reference": P1, "entry[1].fullUrl": P1, "entry[1].resource.id": DROP},
        ),
    ],
    R4,
)

_MESSAGES: Final = group(
    "bundle-message",
    "messaging.html: the focus is in the Bundle",
    [
        bad("the focus is not there", MESSAGE_4, {"entry[1]": DROP}),
        good("without a focus", MESSAGE_4, {"entry[1]": DROP, "entry[0].resource.focus": DROP}),
    ],
    R4,
)

CASES: Final[list[Case]] = [*_NESTED, *_RECORDS, *_DOCUMENTS, *_MESSAGES]
