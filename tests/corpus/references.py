"""References, and what is contained."""

from __future__ import annotations

from typing import Any, Final

from tests.corpus.bases import (
    ALLERGY,
    CONDITION,
    LIST,
    NARRATIVE,
    OBSERVATION,
    PATIENT,
    SERVICE_REQUEST,
    text,
)
from tests.corpus.cases import DROP, R4, R5, Case, bad, good, group

_HOUSE: Final = {"resourceType": "Organization", "id": "o", "name": "Z"}
_PERSON: Final = {"resourceType": "Patient", "id": "x", "name": [{"text": "Ada"}]}


def _to(reference: str) -> dict[str, Any]:
    return {"subject": {"reference": reference}}


_TARGETS: Final = group(
    "reference-target",
    "references.html: only to the types that the element allows",
    [
        bad("an Observation of an Organization's kind", CONDITION, _to("Organization/o1")),
        bad("an allergy of a practitioner", ALLERGY, {"patient.reference": "Practitioner/d1"}),
        bad("a patient's house is a patient", PATIENT, {"managingOrganization.reference": "Patient/p2"}),
        bad(
            "a practitioner that is a medication",
            PATIENT,
            {"generalPractitioner": [{"reference": "Medication/m"}]},
        ),
        bad("an encounter that is a patient", OBSERVATION, {"encounter": {"reference": "Patient/p1"}}),
        bad("absolute", CONDITION, _to("http://spital.example/fhir/Organization/o1")),
        bad("with a version", CONDITION, _to("Organization/o1/_history/3")),
        bad("a specimen of a bed", OBSERVATION, {"specimen": {"reference": "Location/l"}}),
        bad(
            "contained, of the wrong type",
            PATIENT,
            {"contained": [_PERSON], "managingOrganization.reference": "#x"},
        ),
        bad("a contained house as a patient", CONDITION, {"contained": [_HOUSE], **_to("#o")}),
        bad("by its type only", PATIENT, {"managingOrganization": {"type": "Patient", "display": "x"}}),
        good("a Group", CONDITION, _to("Group/g")),
        good("absolute, right", CONDITION, _to("http://spital.example/fhir/Patient/p1")),
        good("with a version, right", CONDITION, _to("Patient/p1/_history/3")),
        good("any type", LIST, {"entry": [{"item": {"reference": "Slot/s"}}]}),
        good("a UUID", CONDITION, _to("urn:uuid:0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a01")),
        good("an OID", CONDITION, _to("urn:oid:1.2.3")),
        good(
            "by type and identifier",
            PATIENT,
            {
                "managingOrganization": {
                    "type": "Organization",
                    "identifier": {"system": "http://spital.example/o", "value": "1"},
                }
            },
        ),
        good("in words", PATIENT, {"managingOrganization": {"display": "Spital"}}),
        good("contained", CONDITION, {"contained": [_PERSON], **_to("#x")}),
        good(
            "an extension only",
            PATIENT,
            {
                "managingOrganization": {
                    "extension": [
                        {
                            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                            "valueCode": "unknown",
                        }
                    ]
                }
            },
        ),
    ],
)

_FORMS: Final = group(
    "reference-form",
    "references.html#literal",
    [
        bad("type and target differ", PATIENT, {"managingOrganization.type": "Practitioner"}),
        bad("a type of resource that is none", PATIENT, {"managingOrganization.reference": "Spital/1"}),
        bad("an empty reference", PATIENT, {"managingOrganization.reference": ""}),
        bad("a reference as a list", PATIENT, {"managingOrganization.reference": ["Organization/o1"]}),
        bad("an identifier as a string", PATIENT, {"managingOrganization": {"identifier": "1"}}),
        good("type and target agree", PATIENT, {"managingOrganization.type": "Organization"}),
        good("display, too", PATIENT, {"managingOrganization.display": "Spital"}),
    ],
)

_CONTAINED: Final = group(
    "contained",
    "references.html#contained",
    [
        bad(
            "no id",
            PATIENT,
            {
                "contained": [{"resourceType": "Organization", "name": "Z"}],
                "managingOrganization.reference": "#o",
            },
        ),
        bad(
            "no type",
            PATIENT,
            {"contained": [{"id": "o", "name": "Z"}], "managingOrganization.reference": "#o"},
        ),
        bad(
            "an unknown type",
            PATIENT,
            {"contained": [_HOUSE | {"resourceType": "Spital"}], "managingOrganization.reference": "#o"},
        ),
        bad(
            "broken inside",
            PATIENT,
            {"contained": [_HOUSE | {"active": "yes"}], "managingOrganization.reference": "#o"},
        ),
        bad(
            "an invariant broken inside",
            PATIENT,
            {
                "contained": [{"resourceType": "Organization", "id": "o", "active": True}],
                "managingOrganization.reference": "#o",
            },
        ),
        bad(
            "a code broken inside",
            SERVICE_REQUEST,
            {"contained": [_PERSON | {"gender": "F"}], "subject.reference": "#x"},
        ),
        bad("no list", PATIENT, {"contained": _HOUSE, "managingOrganization.reference": "#o"}),
        bad(
            "the # in the id",
            PATIENT,
            {"contained": [_HOUSE | {"id": "#o"}], "managingOrganization.reference": "#o"},
        ),
        bad(
            "an id twice",
            PATIENT,
            {"contained": [_HOUSE, _HOUSE | {"name": "Y"}], "managingOrganization.reference": "#o"},
        ),
        good(
            "two",
            PATIENT,
            {
                "contained": [
                    _HOUSE,
                    {"resourceType": "Practitioner", "id": "d", "name": [{"text": "Frei"}]},
                ],
                "managingOrganization.reference": "#o",
                "generalPractitioner": [{"reference": "#d"}],
            },
        ),
        good(
            "referred to by an extension",
            PATIENT,
            {
                "contained": [_HOUSE],
                "extension": [{"url": "http://spital.example/x", "valueReference": {"reference": "#o"}}],
            },
        ),
        good(
            "that refers to each other",
            OBSERVATION,
            {
                "contained": [_PERSON | {"managingOrganization": {"reference": "#o"}}, _HOUSE],
                "subject.reference": "#x",
            },
        ),
    ],
)

_CODEABLE: Final = [
    *group(
        "reference-target",
        "medicationrequest.html R5: a CodeableReference",
        [
            good(
                "a concept",
                {
                    "resourceType": "MedicationRequest",
                    "id": "m",
                    "text": NARRATIVE,
                    "status": "active",
                    "intent": "order",
                    "medication": {"concept": text("Aspirin")},
                    "subject": {"reference": "Patient/p1"},
                },
            ),
            good(
                "a reference",
                {
                    "resourceType": "MedicationRequest",
                    "id": "m",
                    "text": NARRATIVE,
                    "status": "active",
                    "intent": "order",
                    "medication": {"reference": {"reference": "Medication/m"}},
                    "subject": {"reference": "Patient/p1"},
                },
            ),
            bad(
                "a reference to another type",
                {
                    "resourceType": "MedicationRequest",
                    "id": "m",
                    "text": NARRATIVE,
                    "status": "active",
                    "intent": "order",
                    "medication": {"reference": {"reference": "Patient/m"}},
                    "subject": {"reference": "Patient/p1"},
                },
            ),
            bad(
                "a reference without its shell",
                {
                    "resourceType": "MedicationRequest",
                    "id": "m",
                    "text": NARRATIVE,
                    "status": "active",
                    "intent": "order",
                    "medication": {"reference": "Medication/m"},
                    "subject": {"reference": "Patient/p1"},
                },
            ),
            bad(
                "a concept without its shell",
                {
                    "resourceType": "MedicationRequest",
                    "id": "m",
                    "text": NARRATIVE,
                    "status": "active",
                    "intent": "order",
                    "medication": text("Aspirin"),
                    "subject": {"reference": "Patient/p1"},
                },
            ),
        ],
        R5,
    ),
    *group(
        "reference-target",
        "medicationrequest.html R4: medicationReference",
        [
            bad(
                "to another type",
                {
                    "resourceType": "MedicationRequest",
                    "id": "m",
                    "text": NARRATIVE,
                    "status": "active",
                    "intent": "order",
                    "medicationReference": {"reference": "Patient/m"},
                    "subject": {"reference": "Patient/p1"},
                },
            ),
            good(
                "to a medication",
                {
                    "resourceType": "MedicationRequest",
                    "id": "m",
                    "text": NARRATIVE,
                    "status": "active",
                    "intent": "order",
                    "medicationReference": {"reference": "Medication/m"},
                    "subject": {"reference": "Patient/p1"},
                },
            ),
        ],
        R4,
    ),
    *group(
        "reference-target",
        "observation.html R4: subject",
        [
            bad("an Observation of a condition", OBSERVATION, {"subject.reference": "Condition/c"}),
            good("of nobody", OBSERVATION, {"subject": DROP}),
        ],
        R4,
    ),
]

CASES: Final[list[Case]] = [*_TARGETS, *_FORMS, *_CONTAINED, *_CODEABLE]
