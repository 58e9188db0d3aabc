"""Invariants of data types, and of every resource."""

from __future__ import annotations

from typing import Final

from tests.corpus.bases import (
    OBSERVATION,
    ORGANIZATION,
    PARAMETERS,
    PATIENT,
    SERVICE_REQUEST,
    UCUM,
    concept,
    text,
)
from tests.corpus.cases import DROP, R4, R5, Case, bad, good, group
from tests.corpus.structure import HELD

_REPEAT: Final = "occurrenceTiming.repeat"
_HOUSE: Final = {"resourceType": "Organization", "id": "o", "name": "Z"}
_HELD: Final = {"managingOrganization.reference": "#o"}


def _value(kind: str, value: object) -> dict[str, object]:
    return {"valueQuantity": DROP, f"value{kind}": value}


_PLAIN: Final = [
    (
        "att-1",
        [
            bad("data without a type", PATIENT, {"photo": [{"data": "SGVsbG8="}]}),
            good("data with a type", PATIENT, {"photo": [{"data": "SGVsbG8=", "contentType": "image/png"}]}),
            good("a url without a type", PATIENT, {"photo": [{"url": "http://spital.example/p.png"}]}),
        ],
    ),
    (
        "per-1",
        [
            bad("ends before it starts", PATIENT, {"name[0].period": {"start": "2003", "end": "2001"}}),
            bad("by three days", PATIENT, {"name[0].period": {"start": "2001-05-04", "end": "2001-05-01"}}),
            bad(
                "by time zones",
                OBSERVATION,
                {
                    "effectiveDateTime": DROP,
                    "effectivePeriod": {"start": "2024-01-01T10:00:00Z", "end": "2024-01-01T10:30:00+01:00"},
                },
            ),
            bad(
                "in an identifier",
                PATIENT,
                {"identifier[0].period": {"start": "2002-01-01", "end": "2001-01-01"}},
            ),
            good("the same day", PATIENT, {"name[0].period": {"start": "2001-05-01", "end": "2001-05-01"}}),
            good("open", PATIENT, {"name[0].period": {"end": "2001-05-01"}}),
            good(
                "by time zones",
                OBSERVATION,
                {
                    "effectiveDateTime": DROP,
                    "effectivePeriod": {"start": "2024-01-01T10:00:00+01:00", "end": "2024-01-01T09:30:00Z"},
                },
            ),
        ],
    ),
    (
        "qty-3",
        [
            bad("a code without system", OBSERVATION, {"valueQuantity": {"value": 1, "code": "g"}}),
            bad("in a range", OBSERVATION, {"referenceRange": [{"low": {"value": 1, "code": "g"}}]}),
            good("a system without code", OBSERVATION, {"valueQuantity": {"value": 1, "system": UCUM}}),
        ],
    ),
    (
        "sqty-1",
        [
            bad(
                "a comparator in a reference range",
                OBSERVATION,
                {"referenceRange": [{"low": {"value": 1, "comparator": "<"}}]},
            ),
            bad(
                "a comparator in a range",
                OBSERVATION,
                _value("Range", {"low": {"value": 1, "comparator": "<"}}),
            ),
        ],
    ),
    (
        "rng-2",
        [
            bad("low above high", OBSERVATION, _value("Range", {"low": {"value": 5}, "high": {"value": 2}})),
            good(
                "low equals high", OBSERVATION, _value("Range", {"low": {"value": 2}, "high": {"value": 2.0}})
            ),
            good("only low", OBSERVATION, _value("Range", {"low": {"value": 3}})),
        ],
    ),
    (
        "rat-1",
        [
            bad("no denominator", OBSERVATION, _value("Ratio", {"numerator": {"value": 1}})),
            bad("no numerator", OBSERVATION, _value("Ratio", {"denominator": {"value": 1}})),
            good(
                "neither, but an extension",
                OBSERVATION,
                _value("Ratio", {"extension": [{"url": HELD, "valueCode": "x"}]}),
            ),
        ],
    ),
    (
        "cpt-2",
        [
            bad("a value without a system", PATIENT, {"telecom[0].system": DROP}),
            good("only a use", PATIENT, {"telecom": [{"use": "home"}]}),
        ],
    ),
    (
        "tim-1",
        [
            bad("a duration without unit", SERVICE_REQUEST, {f"{_REPEAT}.duration": 5}),
            good("a duration", SERVICE_REQUEST, {f"{_REPEAT}.duration": 5, f"{_REPEAT}.durationUnit": "min"}),
        ],
    ),
    (
        "tim-2",
        [
            bad("a period without unit", SERVICE_REQUEST, {f"{_REPEAT}.periodUnit": DROP}),
        ],
    ),
    (
        "tim-4",
        [
            bad(
                "a negative duration",
                SERVICE_REQUEST,
                {f"{_REPEAT}.duration": -5, f"{_REPEAT}.durationUnit": "min"},
            ),
        ],
    ),
    ("tim-5", [bad("a negative period", SERVICE_REQUEST, {f"{_REPEAT}.period": -1})]),
    (
        "tim-6",
        [
            bad("a longest period alone", SERVICE_REQUEST, {_REPEAT: {"periodMax": 3, "periodUnit": "d"}}),
            good("a longest period", SERVICE_REQUEST, {f"{_REPEAT}.periodMax": 3}),
        ],
    ),
    (
        "tim-7",
        [
            bad(
                "a longest duration alone",
                SERVICE_REQUEST,
                {f"{_REPEAT}.durationMax": 5, f"{_REPEAT}.durationUnit": "h"},
            ),
        ],
    ),
    (
        "tim-8",
        [
            bad("a highest count alone", SERVICE_REQUEST, {f"{_REPEAT}.countMax": 5}),
            good("a highest count", SERVICE_REQUEST, {f"{_REPEAT}.count": 3, f"{_REPEAT}.countMax": 5}),
        ],
    ),
    (
        "tim-9",
        [
            bad("an offset alone", SERVICE_REQUEST, {f"{_REPEAT}.offset": 30}),
            bad("an offset to a meal", SERVICE_REQUEST, {f"{_REPEAT}.offset": 30, f"{_REPEAT}.when": ["CM"]}),
            good(
                "an offset before a meal",
                SERVICE_REQUEST,
                {f"{_REPEAT}.offset": 30, f"{_REPEAT}.when": ["ACM"]},
            ),
        ],
    ),
    (
        "tim-10",
        [
            bad(
                "a time and a when",
                SERVICE_REQUEST,
                {f"{_REPEAT}.timeOfDay": ["08:00:00"], f"{_REPEAT}.when": ["MORN"]},
            ),
            good("a time", SERVICE_REQUEST, {f"{_REPEAT}.timeOfDay": ["08:00:00"]}),
        ],
    ),
    (
        "ext-1",
        [
            bad(
                "a value and extensions",
                PATIENT,
                {
                    "extension": [
                        {"url": HELD, "valueCode": "x", "extension": [{"url": "y", "valueCode": "z"}]}
                    ]
                },
            ),
            bad("neither", PATIENT, {"extension": [{"url": HELD}]}),
            good(
                "nested",
                PATIENT,
                {"extension": [{"url": HELD, "extension": [{"url": "y", "valueCode": "z"}]}]},
            ),
        ],
    ),
    (
        "age-1",
        [
            bad(
                "a negative age",
                PARAMETERS,
                {"parameter[0]": {"name": "a", "valueAge": {"value": -1, "system": UCUM, "code": "a"}}},
            ),
            bad(
                "an age without a code", PARAMETERS, {"parameter[0]": {"name": "a", "valueAge": {"value": 1}}}
            ),
            good(
                "an age",
                PARAMETERS,
                {"parameter[0]": {"name": "a", "valueAge": {"value": 7, "system": UCUM, "code": "a"}}},
            ),
        ],
    ),
    (
        "cnt-3",
        [
            bad(
                "half a count",
                PARAMETERS,
                {"parameter[0]": {"name": "a", "valueCount": {"value": 1.5, "system": UCUM, "code": "1"}}},
            ),
            good(
                "a count",
                PARAMETERS,
                {"parameter[0]": {"name": "a", "valueCount": {"value": 1, "system": UCUM, "code": "1"}}},
            ),
        ],
    ),
    (
        "exp-1",
        [
            bad(
                "neither expression nor reference",
                PARAMETERS,
                {"parameter[0]": {"name": "a", "valueExpression": {"language": "text/fhirpath"}}},
            ),
            good(
                "an expression",
                PARAMETERS,
                {
                    "parameter[0]": {
                        "name": "a",
                        "valueExpression": {"language": "text/fhirpath", "expression": "id"},
                    }
                },
            ),
        ],
    ),
    (
        "dom-2",
        [
            bad(
                "a contained resource that contains",
                PATIENT,
                {
                    "contained": [
                        _HOUSE | {"contained": [_HOUSE | {"id": "i"}], "partOf": {"reference": "#i"}}
                    ],
                    **_HELD,
                },
            ),
        ],
    ),
    (
        "dom-3",
        [
            bad("nobody refers to it", PATIENT, {"contained": [_HOUSE]}),
            good("referred to", PATIENT, {"contained": [_HOUSE], **_HELD}),
            good(
                "it refers to its container",
                PATIENT,
                {
                    "contained": [
                        {
                            "resourceType": "Observation",
                            "id": "o",
                            "status": "final",
                            "code": text("x"),
                            "subject": {"reference": "#"},
                        }
                    ]
                },
            ),
            good(
                "by another contained one",
                PATIENT,
                {"contained": [_HOUSE | {"partOf": {"reference": "#h"}}, _HOUSE | {"id": "h"}], **_HELD},
            ),
        ],
    ),
    (
        "dom-4",
        [
            bad("a version", PATIENT, {"contained": [_HOUSE | {"meta": {"versionId": "1"}}], **_HELD}),
            bad(
                "a date of change",
                PATIENT,
                {"contained": [_HOUSE | {"meta": {"lastUpdated": "2024-01-01T00:00:00Z"}}], **_HELD},
            ),
            good(
                "a tag",
                PATIENT,
                {
                    "contained": [
                        _HOUSE | {"meta": {"tag": [{"code": "x", "system": "http://spital.example/t"}]}}
                    ],
                    **_HELD,
                },
            ),
        ],
    ),
    (
        "dom-5",
        [
            bad(
                "a security label",
                PATIENT,
                {
                    "contained": [
                        _HOUSE | {"meta": {"security": [{"code": "x", "system": "http://spital.example/t"}]}}
                    ],
                    **_HELD,
                },
            ),
        ],
    ),
    (
        "ref-1",
        [
            bad("a contained resource that is not there", PATIENT, {"managingOrganization.reference": "#o"}),
            bad(
                "another than the one there",
                PATIENT,
                {
                    "contained": [_HOUSE],
                    "managingOrganization.reference": "#p",
                    "generalPractitioner": [{"reference": "#o"}],
                },
            ),
        ],
    ),
    (
        "pat-1",
        [
            bad("a contact without details", PATIENT, {"contact": [{"gender": "male"}]}),
            good(
                "a contact by telephone",
                PATIENT,
                {"contact": [{"telecom": [{"system": "phone", "value": "1"}]}]},
            ),
        ],
    ),
    (
        "org-1",
        [
            bad("no name", ORGANIZATION, {"name": DROP}),
            good("an identifier", ORGANIZATION, {"name": DROP, "identifier": [{"value": "1"}]}),
        ],
    ),
    (
        "obs-3",
        [
            bad("a range of nothing", OBSERVATION, {"referenceRange": [{"type": text("normal")}]}),
            good("a range in words", OBSERVATION, {"referenceRange": [{"text": "below 3"}]}),
            good("a range", OBSERVATION, {"referenceRange": [{"high": {"value": 3}}]}),
        ],
    ),
    (
        "obs-6",
        [
            bad(
                "a reason why there is no value, and a value", OBSERVATION, {"dataAbsentReason": text("lost")}
            ),
            good(
                "a reason why there is no value",
                OBSERVATION,
                {"valueQuantity": DROP, "dataAbsentReason": text("lost")},
            ),
        ],
    ),
    (
        "obs-7",
        [
            bad(
                "a component of the same code",
                OBSERVATION,
                {"component": [{"code": OBSERVATION["code"], "valueString": "x"}]},
            ),
            good(
                "a component of another code",
                OBSERVATION,
                {"component": [{"code": concept("http://loinc.org", "789-8"), "valueString": "x"}]},
            ),
            good(
                "the same code without a value",
                OBSERVATION,
                {"valueQuantity": DROP, "component": [{"code": OBSERVATION["code"], "valueString": "x"}]},
            ),
        ],
    ),
    (
        "inv-1",
        [
            bad("a value and parts", PARAMETERS, {"parameter[0].part": [{"name": "x", "valueCode": "y"}]}),
            bad("a value and a resource", PARAMETERS, {"parameter[0].resource": PATIENT}),
            bad("nothing", PARAMETERS, {"parameter[0].valueBoolean": DROP}),
            good(
                "parts",
                PARAMETERS,
                {"parameter[0]": {"name": "p", "part": [{"name": "x", "valueCode": "y"}]}},
            ),
            good("a resource", PARAMETERS, {"parameter[0]": {"name": "p", "resource": PATIENT}}),
        ],
    ),
]

CASES: Final[list[Case]] = [
    case for key, drafts in _PLAIN for case in group(f"invariant-{key}", f"invariant {key}", drafts)
] + [
    *group(
        "invariant-org-2",
        "organization.html, invariants org-2 and org-3",
        [
            bad("a home address", ORGANIZATION, {"address": [{"use": "home", "city": "Zug"}]}),
            bad(
                "a home telephone",
                ORGANIZATION,
                {"telecom": [{"use": "home", "system": "phone", "value": "1"}]},
            ),
            good("a work address", ORGANIZATION, {"address": [{"use": "work", "city": "Zug"}]}),
        ],
        R4,
    ),
    *group(
        "invariant-ref-2",
        "references.html R5, invariant ref-2",
        [
            bad("only a type", PATIENT, {"managingOrganization": {"type": "Organization"}}),
            good("only a display", PATIENT, {"managingOrganization": {"display": "Spital"}}),
        ],
        R5,
    ),
]
