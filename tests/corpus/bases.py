"""Small valid resources that the cases begin with; valid in every version unless the name says which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.corpus.cases import Resource

XHTML: Final = "http://www.w3.org/1999/xhtml"
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
OBSERVATION_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"


def div(inner: str) -> str:
    """Return a narrative's root element."""
    return f'<div xmlns="{XHTML}">{inner}</div>'


def concept(system: str, code: str) -> dict[str, Any]:
    """Return a CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]}


def text(words: str) -> dict[str, Any]:
    """Return a CodeableConcept of words."""
    return {"text": words}


SUBJECT: Final = {"reference": "Patient/p1"}
NARRATIVE: Final = {"status": "generated", "div": div("<p>Ada Berg</p>")}

PATIENT: Final[Resource] = {
    "resourceType": "Patient",
    "id": "p1",
    "text": NARRATIVE,
    "identifier": [{"system": "urn:oid:2.16.756.5.30", "value": "4711"}],
    "active": True,
    "name": [{"use": "official", "family": "Berg", "given": ["Ada"], "period": {"start": "2001-05"}}],
    "telecom": [{"system": "phone", "value": "+41 44 000 00 00", "use": "home"}],
    "gender": "female",
    "birthDate": "1970-03-30",
    "address": [{"use": "home", "line": ["Seestrasse 1"], "city": "Zug", "country": "CH"}],
    "contact": [{"name": {"family": "Berg"}}],
    "managingOrganization": {"reference": "Organization/o1"},
}

OBSERVATION: Final[Resource] = {
    "resourceType": "Observation",
    "id": "hb",
    "text": NARRATIVE,
    "status": "final",
    "category": [concept(OBSERVATION_CATEGORY, "laboratory")],
    "code": concept(LOINC, "718-7"),
    "subject": SUBJECT,
    "effectiveDateTime": "2024-02-29T10:00:00+01:00",
    "performer": [{"reference": "Practitioner/d1"}],
    "valueQuantity": {"value": 7.2, "unit": "g/dL", "system": UCUM, "code": "g/dL"},
}

ORGANIZATION: Final[Resource] = {
    "resourceType": "Organization",
    "id": "o1",
    "text": NARRATIVE,
    "name": "Spital Zug",
}

CONDITION: Final[Resource] = {
    "resourceType": "Condition",
    "id": "c1",
    "text": NARRATIVE,
    "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
    "verificationStatus": concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
    "code": text("Asthma"),
    "subject": SUBJECT,
}

ALLERGY: Final[Resource] = {
    "resourceType": "AllergyIntolerance",
    "id": "a1",
    "text": NARRATIVE,
    "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
    "verificationStatus": concept(
        "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed"
    ),
    "code": text("Penicillin"),
    "patient": SUBJECT,
}

LIST: Final[Resource] = {
    "resourceType": "List",
    "id": "l1",
    "text": NARRATIVE,
    "status": "current",
    "mode": "changes",
    "entry": [{"deleted": True, "item": {"display": "Aspirin"}}],
}

SERVICE_REQUEST: Final[Resource] = {
    "resourceType": "ServiceRequest",
    "id": "sr",
    "text": NARRATIVE,
    "status": "active",
    "intent": "order",
    "subject": SUBJECT,
    "occurrenceTiming": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
}

QUESTIONNAIRE: Final[Resource] = {
    "resourceType": "Questionnaire",
    "id": "q1",
    "text": NARRATIVE,
    "status": "active",
    "item": [
        {"linkId": "1", "type": "string", "text": "Name"},
        {"linkId": "2", "type": "group", "item": [{"linkId": "2.1", "type": "boolean"}]},
    ],
}

ANSWERS: Final[Resource] = {
    "resourceType": "QuestionnaireResponse",
    "id": "qr",
    "text": NARRATIVE,
    "questionnaire": "http://spital.example/Questionnaire/q",
    "status": "completed",
    "item": [{"linkId": "1", "answer": [{"valueString": "Ada"}]}],
}

COMPOSITION: Final[Resource] = {
    "resourceType": "Composition",
    "id": "doc",
    "text": NARRATIVE,
    "status": "final",
    "type": text("Discharge summary"),
    "subject": {"reference": "Patient/p1"},
    "date": "2024-02-29",
    "author": [{"reference": "Practitioner/d1"}],
    "title": "Discharge summary",
    "section": [{"title": "Course", "text": NARRATIVE}],
}
#: R5 has a list of subjects.
COMPOSITION_5: Final[Resource] = COMPOSITION | {"subject": [{"reference": "Patient/p1"}]}

PARAMETERS: Final[Resource] = {
    "resourceType": "Parameters",
    "parameter": [{"name": "exact", "valueBoolean": True}],
}

VALUE_SET: Final[Resource] = {
    "resourceType": "ValueSet",
    "id": "vs",
    "url": "http://spital.example/ValueSet/vs",
    "name": "Wards",
    "text": NARRATIVE,
    "status": "draft",
    "compose": {"include": [{"system": "http://spital.example/wards", "concept": [{"code": "a"}]}]},
}

APPOINTMENT: Final[Resource] = {
    "resourceType": "Appointment",
    "id": "ap",
    "text": NARRATIVE,
    "status": "booked",
    "start": "2024-02-29T10:00:00Z",
    "end": "2024-02-29T10:30:00Z",
    "participant": [{"actor": SUBJECT, "status": "accepted"}],
}

FAMILY: Final[Resource] = {
    "resourceType": "FamilyMemberHistory",
    "id": "fm",
    "text": NARRATIVE,
    "status": "completed",
    "patient": SUBJECT,
    "relationship": concept("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "FTH"),
}

BINARY: Final[Resource] = {"resourceType": "Binary", "contentType": "text/plain", "data": "SGVsbG8="}

#: Of R4 and R4B.
ENCOUNTER_4: Final[Resource] = {
    "resourceType": "Encounter",
    "id": "e1",
    "text": NARRATIVE,
    "status": "finished",
    "class": {"system": ACT_CODE, "code": "AMB"},
    "subject": SUBJECT,
}

#: Of R4 and R4B.
PRESCRIPTION_4: Final[Resource] = {
    "resourceType": "MedicationRequest",
    "id": "mr",
    "text": NARRATIVE,
    "status": "active",
    "intent": "order",
    "medicationCodeableConcept": text("Aspirin 100 mg"),
    "subject": SUBJECT,
    "dosageInstruction": [
        {
            "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
        }
    ],
}

P1: Final = "urn:uuid:0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a01"
P2: Final = "urn:uuid:0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a02"
_UNNAMED: Final = {key: value for key, value in PATIENT.items() if key != "id"}
_HB: Final = {key: value for key, value in OBSERVATION.items() if key != "id"}

COLLECTION: Final[Resource] = {
    "resourceType": "Bundle",
    "id": "b1",
    "type": "collection",
    "entry": [
        {"fullUrl": P1, "resource": _UNNAMED},
        {"fullUrl": P2, "resource": _HB | {"subject": {"reference": P1}}},
    ],
}

TRANSACTION: Final[Resource] = {
    "resourceType": "Bundle",
    "id": "b2",
    "type": "transaction",
    "entry": [
        {"fullUrl": P1, "resource": _UNNAMED, "request": {"method": "POST", "url": "Patient"}},
        {
            "fullUrl": P2,
            "resource": _HB | {"subject": {"reference": P1}},
            "request": {"method": "POST", "url": "Observation"},
        },
    ],
}

SEARCHSET: Final[Resource] = {
    "resourceType": "Bundle",
    "id": "b3",
    "type": "searchset",
    "total": 1,
    "link": [{"relation": "self", "url": "http://spital.example/fhir/Patient?name=berg"}],
    "entry": [
        {
            "fullUrl": "http://spital.example/fhir/Patient/p1",
            "resource": PATIENT,
            "search": {"mode": "match", "score": 1},
        }
    ],
}

HISTORY: Final[Resource] = {
    "resourceType": "Bundle",
    "id": "b4",
    "type": "history",
    "total": 1,
    "entry": [
        {
            "fullUrl": "http://spital.example/fhir/Patient/p1",
            "resource": PATIENT,
            "request": {"method": "PUT", "url": "Patient/p1"},
            "response": {"status": "200", "lastModified": "2024-02-29T10:00:00Z"},
        }
    ],
}

_AUTHOR: Final = {
    "resourceType": "Practitioner",
    "id": "d1",
    "text": NARRATIVE,
    "name": [{"family": "Frei"}],
}


def document(composition: Resource = COMPOSITION) -> Resource:
    """Return a document Bundle."""
    site = "http://spital.example/fhir"
    return {
        "resourceType": "Bundle",
        "id": "b5",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": P1},
        "type": "document",
        "timestamp": "2024-02-29T10:00:00Z",
        "entry": [
            {"fullUrl": f"{site}/Composition/doc", "resource": composition},
            {
                "fullUrl": f"{site}/Patient/p1",
                "resource": PATIENT | {"managingOrganization": {"display": "Z"}},
            },
            {"fullUrl": f"{site}/Practitioner/d1", "resource": _AUTHOR},
        ],
    }


_EVENT: Final = {"system": "http://spital.example/events", "code": "admit"}
MESSAGE_4: Final[Resource] = {
    "resourceType": "Bundle",
    "id": "b6",
    "type": "message",
    "timestamp": "2024-02-29T10:00:00Z",
    "entry": [
        {
            "fullUrl": P1,
            "resource": {
                "resourceType": "MessageHeader",
                "text": NARRATIVE,
                "eventCoding": _EVENT,
                "source": {"endpoint": "http://spital.example/hl7"},
                "focus": [{"reference": P2}],
            },
        },
        {"fullUrl": P2, "resource": _UNNAMED},
    ],
}
