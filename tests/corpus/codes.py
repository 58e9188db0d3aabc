"""Bindings, and codes of code systems that the definitions carry whole."""

from __future__ import annotations

from typing import Final

from tests.corpus.bases import (
    ALLERGY,
    COLLECTION,
    CONDITION,
    ENCOUNTER_4,
    LIST,
    LOINC,
    OBSERVATION,
    OBSERVATION_CATEGORY,
    PARAMETERS,
    PATIENT,
    PRESCRIPTION_4,
    QUESTIONNAIRE,
    SERVICE_REQUEST,
    concept,
    text,
)
from tests.corpus.cases import ALL, DROP, R4, R5, Case, bad, good, group

_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_MARITAL: Final = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
_ABSENT: Final = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_INTERPRETATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"

_REQUIRED: Final = group(
    "binding-required",
    "terminologies.html#required",
    [
        *[
            bad(f"status {code!r}", OBSERVATION, {"status": code})
            for code in ("nonsense", "Final", "FINAL", "completed", "finale", "draft")
        ],
        *[
            good(f"status {code}", OBSERVATION, {"status": code})
            for code in (
                "registered",
                "preliminary",
                "final",
                "amended",
                "corrected",
                "cancelled",
                "entered-in-error",
                "unknown",
            )
        ],
        *[
            bad(f"gender {code!r}", PATIENT, {"gender": code})
            for code in ("F", "f", "Female", "weiblich", "diverse", "unknow", "feminin")
        ],
        *[
            good(f"gender {code}", PATIENT, {"gender": code})
            for code in ("male", "female", "other", "unknown")
        ],
        bad("a name's use", PATIENT, {"name[0].use": "legal"}),
        bad("a telephone's system", PATIENT, {"telecom[0].system": "mobile"}),
        bad("a telephone's use", PATIENT, {"telecom[0].use": "private"}),
        good("a mobile", PATIENT, {"telecom[0].use": "mobile", "telecom[0].rank": 1}),
        bad("an address's use", PATIENT, {"address[0].use": "office"}),
        bad("an address's type", PATIENT, {"address[0].type": "mail"}),
        bad("an identifier's use", PATIENT, {"identifier[0].use": "primary"}),
        bad("a narrative's status", PATIENT, {"text.status": "unknown"}),
        bad("a comparator", OBSERVATION, {"valueQuantity.comparator": "=>"}),
        good("a comparator", OBSERVATION, {"valueQuantity.comparator": ">="}),
        bad("a link's type", PATIENT, {"link": [{"other": {"reference": "Patient/p2"}, "type": "same"}]}),
        good("a link's type", PATIENT, {"link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}]}),
        bad("a Bundle's type", COLLECTION, {"type": "list"}),
        bad("a List's mode", LIST, {"mode": "change"}),
        bad("a request's intent", SERVICE_REQUEST, {"intent": "planned"}),
        bad("a request's priority", SERVICE_REQUEST, {"priority": "high"}),
        bad("a period's unit", SERVICE_REQUEST, {"occurrenceTiming.repeat.periodUnit": "day"}),
        bad("when", SERVICE_REQUEST, {"occurrenceTiming.repeat.when": ["noon"]}),
        good("when", SERVICE_REQUEST, {"occurrenceTiming.repeat.when": ["MORN"]}),
        bad("a day", SERVICE_REQUEST, {"occurrenceTiming.repeat.dayOfWeek": ["monday"]}),
        good("a day", SERVICE_REQUEST, {"occurrenceTiming.repeat.dayOfWeek": ["mon"]}),
        bad("the type of an item", QUESTIONNAIRE, {"item[0].type": "number"}),
        bad("a condition's clinical status", CONDITION, {"clinicalStatus.coding[0].code": "aktiv"}),
        bad(
            "a clinical status of another system",
            CONDITION,
            {"clinicalStatus": concept("http://spital.example/s", "active")},
        ),
        bad("a clinical status without system", CONDITION, {"clinicalStatus.coding[0].system": DROP}),
        bad("a clinical status in words", CONDITION, {"clinicalStatus": text("active")}),
        bad(
            "a verification status of the other kind",
            CONDITION,
            {
                "verificationStatus": concept(
                    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed"
                )
            },
        ),
        good(
            "a second coding beside the required one",
            CONDITION,
            {"clinicalStatus.coding[1]": {"system": "http://spital.example/s", "code": "aktiv"}},
        ),
        bad("an allergy's category", ALLERGY, {"category": ["drug"]}),
        good("an allergy's category", ALLERGY, {"category": ["medication"]}),
        bad("an allergy's criticality", ALLERGY, {"criticality": "severe"}),
        bad(
            "a relation of an enableWhen",
            QUESTIONNAIRE,
            {"item[1].item[0].enableWhen": [{"question": "1", "operator": "==", "answerString": "x"}]},
        ),
    ],
)

_VERSIONED: Final = [
    *group(
        "binding-required",
        "encounter.html: status differs between R4 and R5",
        [
            bad("R5's completed", ENCOUNTER_4, {"status": "completed"}),
            good("in-progress", ENCOUNTER_4, {"status": "in-progress"}),
            bad("a priority that is none", PRESCRIPTION_4, {"priority": "prn"}),
            bad("an intent that is none", PRESCRIPTION_4, {"intent": "prescription"}),
        ],
        R4,
    ),
    *group(
        "binding-required",
        "valueset-days-of-week",
        [
            bad("Bundle type of R5", COLLECTION, {"type": "subscription-notification"}),
        ],
        R4,
    ),
]

_EXTENSIBLE: Final = group(
    "binding-extensible",
    "terminologies.html#extensible: other codes are allowed",
    [
        good(
            "a marital status of one's own",
            PATIENT,
            {"maritalStatus": concept("http://spital.example/m", "x")},
        ),
        good("a marital status in words", PATIENT, {"maritalStatus": text("partnered")}),
        good("HL7's", PATIENT, {"maritalStatus": concept(_MARITAL, "M")}),
        good(
            "an interpretation of one's own",
            OBSERVATION,
            {"interpretation": [concept("http://spital.example/i", "++")]},
        ),
        good(
            "an absent reason of one's own",
            OBSERVATION,
            {"valueQuantity": DROP, "dataAbsentReason": concept("http://spital.example/i", "lost")},
        ),
        good(
            "a relationship of one's own",
            PATIENT,
            {"contact[0].relationship": [concept("http://spital.example/r", "x")]},
        ),
        good(
            "a category of one's own", OBSERVATION, {"category": [concept("http://spital.example/c", "poc")]}
        ),
        good("a list code of one's own", LIST, {"code": concept("http://spital.example/c", "rounds")}),
        good(
            "an identifier type of one's own",
            PATIENT,
            {"identifier[0].type": concept("http://spital.example/t", "CASE")},
        ),
        good(
            "HL7's identifier type",
            PATIENT,
            {"identifier[0].type": concept("http://terminology.hl7.org/CodeSystem/v2-0203", "MR")},
        ),
        good(
            "a code without system in an example binding",
            OBSERVATION,
            {"method": {"coding": [{"code": "x"}]}},
        ),
        good("a local code only", OBSERVATION, {"code": concept("http://spital.example/lab", "HB")}),
        good(
            "a security label of one's own",
            PATIENT,
            {"meta": {"security": [{"system": "http://spital.example/s", "code": "vip"}]}},
        ),
        good("a tag", PATIENT, {"meta": {"tag": [{"system": "http://spital.example/s", "code": "vip"}]}}),
    ],
)

_SYSTEMS: Final = group(
    "code-unknown",
    "terminologies.html: a code that its complete code system does not define",
    [
        bad("a category", OBSERVATION, {"category": [concept(OBSERVATION_CATEGORY, "lab")]}),
        bad(
            "a category in upper case",
            OBSERVATION,
            {"category": [concept(OBSERVATION_CATEGORY, "LABORATORY")]},
        ),
        bad("a marital status", PATIENT, {"maritalStatus": concept(_MARITAL, "Q")}),
        bad(
            "an absent reason",
            OBSERVATION,
            {"valueQuantity": DROP, "dataAbsentReason": concept(_ABSENT, "lost")},
        ),
        bad("an interpretation", OBSERVATION, {"interpretation": [concept(_INTERPRETATION, "HIGH")]}),
        bad(
            "a code of another of HL7's systems",
            CONDITION,
            {"clinicalStatus": concept(_CLINICAL, "confirmed")},
        ),
        bad(
            "a gender as a coding",
            PARAMETERS,
            {
                "parameter[0]": {
                    "name": "g",
                    "valueCoding": {"system": "http://hl7.org/fhir/administrative-gender", "code": "f"},
                }
            },
        ),
        bad(
            "an identifier's type",
            PATIENT,
            {"identifier[0].type": concept("http://terminology.hl7.org/CodeSystem/v2-0203", "MRNX")},
        ),
        bad(
            "the second coding",
            OBSERVATION,
            {"category[0].coding[1]": {"system": OBSERVATION_CATEGORY, "code": "blood"}},
        ),
        good("an interpretation", OBSERVATION, {"interpretation": [concept(_INTERPRETATION, "H")]}),
        good(
            "an absent reason",
            OBSERVATION,
            {"valueQuantity": DROP, "dataAbsentReason": concept(_ABSENT, "not-performed")},
        ),
        good(
            "a system that is not here", OBSERVATION, {"code": concept("http://snomed.info/sct", "271026005")}
        ),
        good("a LOINC code", OBSERVATION, {"code": concept(LOINC, "2339-0")}),
        good(
            "a gender as a coding",
            PARAMETERS,
            {
                "parameter[0]": {
                    "name": "g",
                    "valueCoding": {"system": "http://hl7.org/fhir/administrative-gender", "code": "other"},
                }
            },
        ),
        bad(
            "a value set as the system",
            OBSERVATION,
            {"category": [concept("http://hl7.org/fhir/ValueSet/observation-category", "laboratory")]},
        ),
        bad("a relative system", OBSERVATION, {"code": concept("loinc", "718-7")}),
    ],
)

_SYNTAXES: Final = group(
    "code-syntax",
    "valueset-mimetypes (BCP 13), valueset-all-languages (BCP 47), UCUM",
    [
        *[
            good(f"language {code}", PATIENT, {"language": code})
            for code in ("de", "de-CH", "en-US", "zh-Hans-CN", "gsw")
        ],
        *[
            bad(f"language {code!r}", PATIENT, {"language": code})
            for code in ("german deutsch", "de_CH", "d", "xx-yy-zz-00-11-!!")
        ],
        *[
            good(f"mime {code}", PATIENT, {"photo": [{"contentType": code, "data": "SGVsbG8="}]})
            for code in (
                "image/png",
                "text/plain; charset=utf-8",
                "application/fhir+json",
                "application/vnd.ms-excel",
            )
        ],
        *[
            good(f"unit {code}", OBSERVATION, {"valueQuantity.code": code})
            for code in (
                "mg",
                "mm[Hg]",
                "10*9/L",
                "{cells}/uL",
                "kg/m2",
                "%",
                "1",
                "Cel",
                "ug/(24.h)",
                "mL/min/{1.73_m2}",
                "[degF]",
                "U/L",
            )
        ],
        good("any unit in words", OBSERVATION, {"valueQuantity": {"value": 1, "unit": "Handvoll"}}),
        good(
            "a unit of one's own system",
            OBSERVATION,
            {"valueQuantity": {"value": 1, "system": "http://spital.example/u", "code": "Hv"}},
        ),
    ],
    ALL,
)

_CURRENCY: Final = group(
    "code-syntax",
    "valueset-currencies (ISO 4217)",
    [
        good(
            "francs",
            PARAMETERS,
            {"parameter[0]": {"name": "m", "valueMoney": {"value": 7, "currency": "CHF"}}},
        ),
        bad(
            "no currency",
            PARAMETERS,
            {"parameter[0]": {"name": "m", "valueMoney": {"value": 7, "currency": "Franken"}}},
        ),
    ],
    (*R4, *R5),
)

CASES: Final[list[Case]] = [*_REQUIRED, *_VERSIONED, *_EXTENSIBLE, *_SYSTEMS, *_SYNTAXES, *_CURRENCY]
