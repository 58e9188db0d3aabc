"""Invariants of single resources."""

from __future__ import annotations

from typing import Final

from tests.corpus.bases import (
    ALLERGY,
    ANSWERS,
    APPOINTMENT,
    COMPOSITION,
    CONDITION,
    FAMILY,
    LIST,
    NARRATIVE,
    QUESTIONNAIRE,
    SERVICE_REQUEST,
    SUBJECT,
    UCUM,
    VALUE_SET,
    concept,
    text,
)
from tests.corpus.cases import ALL, DROP, R4, Case, Draft, Resource, bad, good, group

_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_ALLERGY_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_ITEM: Final = "item[0]"


def _new(resource: str, /, **members: object) -> Resource:
    return {"resourceType": resource, "id": "x", "text": NARRATIVE, **members}


_GROUP: Final = _new("Group", type="person", actual=True, member=[{"entity": SUBJECT}])
_TASK: Final = _new(
    "Task", status="requested", intent="order", authoredOn="2024-01-02", lastModified="2024-01-03"
)
_GOAL: Final = _new(
    "Goal",
    lifecycleStatus="active",
    description=text("walk"),
    subject=SUBJECT,
    target=[{"measure": text("steps"), "detailString": "many"}],
)
_PLAN: Final = _new(
    "CarePlan",
    status="active",
    intent="plan",
    subject=SUBJECT,
    activity=[{"detail": {"status": "scheduled"}}],
)
_SYSTEM: Final = _new(
    "CodeSystem",
    url="http://spital.example/wards",
    name="Wards",
    status="draft",
    content="complete",
    concept=[{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}],
)
_NAMING: Final = _new(
    "NamingSystem",
    name="Ahv",
    status="draft",
    kind="identifier",
    date="2024",
    uniqueId=[{"type": "oid", "value": "2.16.756", "preferred": True}],
)
_RISK: Final = _new(
    "RiskAssessment", status="final", subject=SUBJECT, prediction=[{"probabilityDecimal": 20}]
)
_LINKAGE: Final = _new(
    "Linkage",
    item=[
        {"type": "source", "resource": SUBJECT},
        {"type": "alternate", "resource": {"reference": "Patient/p2"}},
    ],
)
_AUDIT: Final = _new(
    "AuditEvent",
    type={"system": "http://spital.example/e", "code": "x"},
    recorded="2024-01-01T00:00:00Z",
    agent=[{"requestor": True}],
    source={"observer": {"display": "x"}},
    entity=[{"name": "x"}],
)
_CONSENT: Final = _new(
    "Consent",
    status="active",
    scope=text("privacy"),
    category=[text("x")],
    patient=SUBJECT,
    policyRule=text("x"),
)
_STATEMENT: Final = _new(
    "CapabilityStatement",
    status="draft",
    date="2024",
    kind="requirements",
    fhirVersion="4.0.1",
    format=["json"],
    description="x",
    rest=[{"mode": "server", "resource": [{"type": "Patient"}]}],
)
_OPERATION: Final = _new(
    "OperationDefinition",
    name="Find",
    status="draft",
    kind="operation",
    code="find",
    system=True,
    type=False,
    instance=False,
    parameter=[{"name": "p", "use": "in", "min": 0, "max": "1", "type": "string"}],
)
_SEARCH: Final = _new(
    "SearchParameter",
    url="http://spital.example/sp",
    name="Ward",
    status="draft",
    description="x",
    code="ward",
    base=["Patient"],
    type="token",
    expression="Patient.id",
)
_MAP: Final = _new(
    "ConceptMap",
    status="draft",
    group=[
        {
            "source": "http://spital.example/a",
            "target": "http://spital.example/b",
            "element": [{"code": "a", "target": [{"code": "b", "equivalence": "narrower", "comment": "x"}]}],
        }
    ],
)
_VACCINE: Final = _new(
    "ImmunizationRecommendation",
    patient=SUBJECT,
    date="2024",
    recommendation=[{"vaccineCode": [text("x")], "forecastStatus": text("due")}],
)
_GIVEN: Final = _new(
    "MedicationAdministration",
    status="completed",
    medicationCodeableConcept=text("x"),
    subject=SUBJECT,
    effectiveDateTime="2024",
    dosage={"dose": {"value": 1}},
)
_DISPENSED: Final = _new(
    "MedicationDispense",
    status="completed",
    medicationCodeableConcept=text("x"),
    subject=SUBJECT,
    whenPrepared="2024-01-02T10:00:00Z",
    whenHandedOver="2024-01-02T11:00:00Z",
)
_REPORT: Final = _new(
    "MeasureReport",
    status="complete",
    type="summary",
    measure="http://spital.example/m",
    period={"start": "2024"},
    group=[{"code": text("x")}],
)

_COMMON: Final[list[tuple[str, list[Draft]]]] = [
    (
        "con-4",
        [
            bad("abated and active", CONDITION, {"abatementDateTime": "2024"}),
            good(
                "abated and resolved",
                CONDITION,
                {"abatementDateTime": "2024", "clinicalStatus.coding[0].code": "resolved"},
            ),
        ],
    ),
    (
        "con-1",
        [
            bad("a stage of nothing", CONDITION, {"stage": [{"type": text("x")}]}),
            good("a stage", CONDITION, {"stage": [{"summary": text("II")}]}),
        ],
    ),
    (
        "lst-1",
        [
            bad("entries and a reason for none", LIST, {"emptyReason": text("x")}),
            good("a reason for none", LIST, {"entry": DROP, "emptyReason": text("x")}),
        ],
    ),
    ("lst-2", [bad("deleted in a snapshot", LIST, {"mode": "snapshot"})]),
    (
        "lst-3",
        [
            bad(
                "a date of an entry of a snapshot",
                LIST,
                {"mode": "snapshot", "entry": [{"date": "2024", "item": SUBJECT}]},
            ),
            good(
                "a date of an entry at work",
                LIST,
                {"mode": "working", "entry": [{"date": "2024", "item": SUBJECT}]},
            ),
        ],
    ),
    ("prr-1", [bad("a detail of no order", SERVICE_REQUEST, {"orderDetail": [text("x")]})]),
    (
        "que-2",
        [
            bad("a linkId twice", QUESTIONNAIRE, {f"{_ITEM}.linkId": "2"}),
            bad("a linkId twice, nested", QUESTIONNAIRE, {f"{_ITEM}.linkId": "2.1"}),
        ],
    ),
    ("que-1", [bad("items of a display", QUESTIONNAIRE, {"item[1].type": "display"})]),
    (
        "que-3",
        [
            bad(
                "a code of a display",
                QUESTIONNAIRE,
                {_ITEM: {"linkId": "1", "type": "display", "text": "x", "code": [{"code": "x"}]}},
            )
        ],
    ),
    (
        "que-6",
        [
            bad(
                "a display that is required",
                QUESTIONNAIRE,
                {_ITEM: {"linkId": "1", "type": "display", "text": "x", "required": True}},
            )
        ],
    ),
    (
        "que-7",
        [
            bad(
                "exists compared to a string",
                QUESTIONNAIRE,
                {f"{_ITEM}.enableWhen": [{"question": "2.1", "operator": "exists", "answerString": "x"}]},
            ),
            good(
                "exists compared to a boolean",
                QUESTIONNAIRE,
                {f"{_ITEM}.enableWhen": [{"question": "2.1", "operator": "exists", "answerBoolean": True}]},
            ),
        ],
    ),
    (
        "que-8",
        [bad("an initial value of a group", QUESTIONNAIRE, {"item[1].initial": [{"valueString": "x"}]})],
    ),
    (
        "que-9",
        [
            bad(
                "a display that is read only",
                QUESTIONNAIRE,
                {_ITEM: {"linkId": "1", "type": "display", "text": "x", "readOnly": True}},
            )
        ],
    ),
    (
        "que-10",
        [
            bad("the longest group", QUESTIONNAIRE, {"item[1].maxLength": 7}),
            good("the longest string", QUESTIONNAIRE, {f"{_ITEM}.maxLength": 7}),
        ],
    ),
    (
        "que-13",
        [
            bad(
                "two initial values of one",
                QUESTIONNAIRE,
                {f"{_ITEM}.initial": [{"valueString": "x"}, {"valueString": "y"}]},
            ),
            good(
                "two initial values",
                QUESTIONNAIRE,
                {f"{_ITEM}.repeats": True, f"{_ITEM}.initial": [{"valueString": "x"}, {"valueString": "y"}]},
            ),
        ],
    ),
    (
        "qrs-1",
        [
            bad("items and answers", ANSWERS, {f"{_ITEM}.item": [{"linkId": "1.1"}]}),
            good("items of an answer", ANSWERS, {f"{_ITEM}.answer[0].item": [{"linkId": "1.1"}]}),
        ],
    ),
    (
        "vsd-1",
        [
            bad("an include of nothing", VALUE_SET, {"compose.include": [{"version": "1"}]}),
            good(
                "an include of a value set",
                VALUE_SET,
                {"compose.include": [{"valueSet": ["http://spital.example/ValueSet/o"]}]},
            ),
        ],
    ),
    (
        "vsd-2",
        [
            bad(
                "concepts without system",
                VALUE_SET,
                {"compose.include[0]": {"concept": [{"code": "a"}], "valueSet": ["http://spital.example/o"]}},
            )
        ],
    ),
    (
        "vsd-3",
        [
            bad(
                "concepts and filters",
                VALUE_SET,
                {"compose.include[0].filter": [{"property": "x", "op": "=", "value": "y"}]},
            )
        ],
    ),
    (
        "vsd-10",
        [
            bad(
                "a code without system",
                VALUE_SET,
                {"expansion": {"timestamp": "2024", "contains": [{"code": "x"}]}},
            ),
            good(
                "a code",
                VALUE_SET,
                {
                    "expansion": {
                        "timestamp": "2024",
                        "contains": [{"code": "a", "system": "http://spital.example/wards"}],
                    }
                },
            ),
        ],
    ),
    ("app-2", [bad("only a start", APPOINTMENT, {"end": DROP})]),
    (
        "app-3",
        [
            bad("booked for no time", APPOINTMENT, {"start": DROP, "end": DROP}),
            good("proposed for no time", APPOINTMENT, {"start": DROP, "end": DROP, "status": "proposed"}),
        ],
    ),
    ("app-1", [bad("a participant of nothing", APPOINTMENT, {"participant": [{"status": "accepted"}]})]),
    (
        "fhs-1",
        [
            bad("age and birth", FAMILY, {"ageString": "50", "bornString": "1970"}),
            good("age", FAMILY, {"ageString": "50"}),
        ],
    ),
    (
        "fhs-2",
        [
            bad("no age, but estimated", FAMILY, {"estimatedAge": True}),
            good("estimated", FAMILY, {"ageString": "50", "estimatedAge": True}),
        ],
    ),
    ("gol-1", [bad("a detail of no measure", _GOAL, {"target[0].measure": DROP}), good("a goal", _GOAL)]),
    (
        "csd-1",
        [
            bad("a code twice", _SYSTEM, {"concept[1].code": "a"}),
            bad("a code twice, nested", _SYSTEM, {"concept[1].code": "b"}),
            good("a system", _SYSTEM),
        ],
    ),
    (
        "nsd-1",
        [
            bad("a root by uuid", _NAMING, {"kind": "root", "uniqueId[0]": {"type": "uuid", "value": "x"}}),
            good("a naming system", _NAMING),
        ],
    ),
    (
        "nsd-2",
        [
            bad(
                "two preferred of a type",
                _NAMING,
                {"uniqueId[1]": {"type": "oid", "value": "2.16.757", "preferred": True}},
            )
        ],
    ),
    (
        "ras-2",
        [bad("120 percent", _RISK, {"prediction[0].probabilityDecimal": 120}), good("20 percent", _RISK)],
    ),
    (
        "ras-1",
        [
            bad(
                "not in percent",
                _RISK,
                {"prediction[0]": {"probabilityRange": {"low": {"value": 1, "system": UCUM, "code": "g"}}}},
            )
        ],
    ),
    ("lnk-1", [bad("one item", _LINKAGE, {"item[1]": DROP}), good("two items", _LINKAGE)]),
    ("cmp-1", [bad("a section of nothing", COMPOSITION, {"section": [{"title": "x"}], "subject": DROP})]),
    (
        "cmp-2",
        [
            bad(
                "entries and a reason for none",
                COMPOSITION,
                {"subject": DROP, "section[0].entry": [SUBJECT], "section[0].emptyReason": text("x")},
            )
        ],
    ),
    (
        "imr-1",
        [
            bad("neither vaccine nor disease", _VACCINE, {"recommendation[0].vaccineCode": DROP}),
            good("a vaccine", _VACCINE),
        ],
    ),
    (
        "opd-1",
        [
            bad("neither type nor part", _OPERATION, {"parameter[0].type": DROP}),
            good("an operation", _OPERATION),
        ],
    ),
    (
        "cpb-9",
        [
            bad("a resource twice", _STATEMENT, {"rest[0].resource[1]": {"type": "Patient"}}),
            good("a statement", _STATEMENT),
        ],
    ),
    ("cpb-1", [bad("no endpoint", _STATEMENT, {"rest": DROP})]),
    ("cpb-14", [bad("an instance without implementation", _STATEMENT, {"kind": "instance"})]),
    ("cpb-16", [bad("requirements with software", _STATEMENT, {"software": {"name": "x"}})]),
    (
        "cpb-12",
        [
            bad(
                "a parameter twice",
                _STATEMENT,
                {
                    "rest[0].resource[0].searchParam": [
                        {"name": "a", "type": "token"},
                        {"name": "a", "type": "string"},
                    ]
                },
            )
        ],
    ),
]

_OLD: Final[list[tuple[str, list[Draft]]]] = [
    ("ait-1", [bad("no clinical status", ALLERGY, {"clinicalStatus": DROP}), good("an allergy", ALLERGY)]),
    (
        "ait-2",
        [
            bad(
                "an error with a clinical status",
                ALLERGY,
                {"verificationStatus": concept(_ALLERGY_VERIFICATION, "entered-in-error")},
            ),
            good(
                "an error",
                ALLERGY,
                {
                    "clinicalStatus": DROP,
                    "verificationStatus": concept(_ALLERGY_VERIFICATION, "entered-in-error"),
                },
            ),
        ],
    ),
    (
        "con-5",
        [
            bad(
                "an error with a clinical status",
                CONDITION,
                {"verificationStatus": concept(_VERIFICATION, "entered-in-error")},
            ),
            good(
                "an error",
                CONDITION,
                {"clinicalStatus": DROP, "verificationStatus": concept(_VERIFICATION, "entered-in-error")},
            ),
        ],
    ),
    (
        "con-2",
        [
            bad(
                "evidence of nothing",
                CONDITION,
                {
                    "evidence": [
                        {"id": "e", "extension": [{"url": "http://spital.example/x", "valueCode": "y"}]}
                    ]
                },
            ),
            good("evidence", CONDITION, {"evidence": [{"code": [text("x")]}]}),
        ],
    ),
    (
        "que-4",
        [
            bad(
                "answers twice",
                QUESTIONNAIRE,
                {
                    _ITEM: {
                        "linkId": "1",
                        "type": "choice",
                        "answerValueSet": "http://spital.example/v",
                        "answerOption": [{"valueString": "x"}],
                    }
                },
            )
        ],
    ),
    (
        "que-5",
        [
            bad(
                "answers to a yes or no",
                QUESTIONNAIRE,
                {"item[1].item[0].answerOption": [{"valueString": "x"}]},
            ),
            good(
                "answers to a choice",
                QUESTIONNAIRE,
                {_ITEM: {"linkId": "1", "type": "choice", "answerOption": [{"valueString": "x"}]}},
            ),
        ],
    ),
    (
        "que-11",
        [
            bad(
                "answers and an initial value",
                QUESTIONNAIRE,
                {
                    _ITEM: {
                        "linkId": "1",
                        "type": "choice",
                        "initial": [{"valueString": "x"}],
                        "answerOption": [{"valueString": "x"}],
                    }
                },
            )
        ],
    ),
    (
        "app-4",
        [
            bad("a reason to cancel what is booked", APPOINTMENT, {"cancelationReason": text("x")}),
            good("a reason to cancel", APPOINTMENT, {"cancelationReason": text("x"), "status": "cancelled"}),
        ],
    ),
    (
        "cpl-3",
        [
            bad("detail and reference", _PLAN, {"activity[0].reference": {"reference": "Task/t"}}),
            good("a plan", _PLAN),
        ],
    ),
    ("grp-1", [bad("members of a description", _GROUP, {"actual": False}), good("a group", _GROUP)]),
    (
        "task-inv-1",
        [bad("changed before it was written", _TASK, {"lastModified": "2023-01-01"}), good("a task", _TASK)],
    ),
    ("sev-1", [bad("name and query", _AUDIT, {"entity[0].query": "eA=="}), good("an audit event", _AUDIT)]),
    ("ppc-1", [bad("no policy", _CONSENT, {"policyRule": DROP}), good("a consent", _CONSENT)]),
    (
        "cmd-1",
        [
            bad("narrower without comment", _MAP, {"group[0].element[0].target[0].comment": DROP}),
            good("a map", _MAP),
        ],
    ),
    ("cmd-2", [bad("fixed without code", _MAP, {"group[0].unmapped": {"mode": "fixed"}})]),
    ("mad-1", [bad("neither dose nor rate", _GIVEN, {"dosage": {"text": "x"}}), good("a dose", _GIVEN)]),
    (
        "mdd-1",
        [
            bad("handed over before it was prepared", _DISPENSED, {"whenHandedOver": "2024-01-01T00:00:00Z"}),
            good("a dispense", _DISPENSED),
        ],
    ),
    (
        "mrp-1",
        [bad("groups of a data collection", _REPORT, {"type": "data-collection"}), good("a report", _REPORT)],
    ),
    ("spd-1", [bad("a path without its use", _SEARCH, {"xpath": "x"}), good("a parameter", _SEARCH)]),
    ("spd-2", [bad("a chain of a token", _SEARCH, {"chain": ["x"]})]),
    (
        "opd-2",
        [
            bad(
                "a search type of an integer",
                _OPERATION,
                {"parameter[0].type": "integer", "parameter[0].searchType": "number"},
            )
        ],
    ),
]


#: R5 named some elements anew, so what these begin with is valid in R4 and R4B only.
_R4_BASES: Final = {
    "lst-2",
    "lst-3",
    "con-1",
    "cpb-16",
    "csd-1",
    "imr-1",
    "ras-2",
    "cmp-1",
    "cmp-2",
    "prr-1",
    "gol-1",
    "cpb-12",
}

CASES: Final[list[Case]] = [
    *group(
        "invariant-que-1",
        "questionnaire.html R4, invariant que-1",
        [
            bad("a group without items", QUESTIONNAIRE, {"item[1].item": DROP}),
        ],
        R4[:1],
    ),
    *(
        case
        for key, drafts in _COMMON
        for case in group(f"invariant-{key}", f"invariant {key}", drafts, R4 if key in _R4_BASES else ALL)
    ),
    *(case for key, drafts in _OLD for case in group(f"invariant-{key}", f"invariant {key}", drafts, R4)),
]
