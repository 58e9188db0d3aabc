"""Codes that FHIR requires, for common clinical resources and the data types they are made of.

The library knows its value sets only from the short texts of the specification, which end in "and so on",
and does not enforce them. These are the value sets that R4 (4.0.1) and R4B (4.3.0) bind with strength
`required` to elements of type `code`, with the same content in both: the `enum` lists of
https://hl7.org/fhir/R4/fhir.schema.json, and where the schema has none (medication, event and request
statuses, and the like) the value set's own page under https://hl7.org/fhir/R4/valueset-NAME.html.
Elements that are not in the table, and all of R5, are checked for the form of a code only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from caregrid.records import RecordFormat

#: (class name as in the library, element) to the codes allowed there.
Bindings = Mapping[tuple[str, str], frozenset[str]]


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GENDER: Final = _codes("male female other unknown")
_ENCOUNTER_STATUS: Final = _codes(
    "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown"
)
_EVENT_STATUS: Final = _codes(
    "preparation in-progress not-done on-hold stopped completed entered-in-error unknown"
)
_REQUEST_STATUS: Final = _codes("draft active on-hold revoked completed entered-in-error unknown")
_REQUEST_PRIORITY: Final = _codes("routine urgent asap stat")
_CARE_PLAN_INTENT: Final = _codes("proposal plan order option")
_REQUEST_INTENT: Final = _codes(
    "proposal plan directive order original-order reflex-order filler-order instance-order option"
)
_UNIT_OF_TIME: Final = _codes("s min h d wk mo a")
_DAY: Final = _codes("mon tue wed thu fri sat sun")

_R4: Final[Bindings] = {
    ("Address", "type"): _codes("postal physical both"),
    ("Address", "use"): _codes("home work temp old billing"),
    ("AllergyIntolerance", "category"): _codes("food medication environment biologic"),
    ("AllergyIntolerance", "criticality"): _codes("low high unable-to-assess"),
    ("AllergyIntolerance", "type"): _codes("allergy intolerance"),
    ("AllergyIntoleranceReaction", "severity"): _codes("mild moderate severe"),
    ("CarePlan", "intent"): _CARE_PLAN_INTENT,
    ("CarePlan", "status"): _REQUEST_STATUS,
    ("CarePlanActivityDetail", "status"): _codes(
        "not-started scheduled in-progress on-hold completed cancelled stopped unknown entered-in-error"
    ),
    ("CareTeam", "status"): _codes("proposed active suspended inactive entered-in-error"),
    ("Consent", "status"): _codes("draft proposed active rejected inactive entered-in-error"),
    ("ConsentProvision", "type"): _codes("deny permit"),
    ("ContactPoint", "system"): _codes("phone fax email pager url sms other"),
    ("ContactPoint", "use"): _codes("home work temp old mobile"),
    ("Coverage", "status"): _codes("active cancelled draft entered-in-error"),
    ("Device", "status"): _codes("active inactive entered-in-error unknown"),
    ("DiagnosticReport", "status"): _codes(
        "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown"
    ),
    ("DocumentReference", "docStatus"): _codes("preliminary final amended entered-in-error"),
    ("DocumentReference", "status"): _codes("current superseded entered-in-error"),
    ("DocumentReferenceRelatesTo", "code"): _codes("replaces transforms signs appends"),
    ("Encounter", "status"): _ENCOUNTER_STATUS,
    ("EncounterLocation", "status"): _codes("planned active reserved completed"),
    ("EncounterStatusHistory", "status"): _ENCOUNTER_STATUS,
    ("FamilyMemberHistory", "status"): _codes("partial completed entered-in-error health-unknown"),
    ("Goal", "lifecycleStatus"): _codes(
        "proposed planned accepted active on-hold completed cancelled entered-in-error rejected"
    ),
    ("HumanName", "use"): _codes("usual official temp nickname anonymous old maiden"),
    ("Identifier", "use"): _codes("usual official temp secondary old"),
    ("ImagingStudy", "status"): _codes("registered available cancelled entered-in-error unknown"),
    ("Immunization", "status"): _codes("completed entered-in-error not-done"),
    ("Location", "mode"): _codes("instance kind"),
    ("Location", "status"): _codes("active suspended inactive"),
    ("LocationHoursOfOperation", "daysOfWeek"): _DAY,
    ("Medication", "status"): _codes("active inactive entered-in-error"),
    ("MedicationAdministration", "status"): _codes(
        "in-progress not-done on-hold completed entered-in-error stopped unknown"
    ),
    ("MedicationRequest", "intent"): _codes(
        "proposal plan order original-order reflex-order filler-order instance-order option"
    ),
    ("MedicationRequest", "priority"): _REQUEST_PRIORITY,
    ("MedicationRequest", "status"): _codes(
        "active on-hold cancelled completed entered-in-error stopped draft unknown"
    ),
    ("MedicationStatement", "status"): _codes(
        "active completed entered-in-error intended stopped on-hold unknown not-taken"
    ),
    ("Narrative", "status"): _codes("generated extensions additional empty"),
    ("Observation", "status"): _codes(
        "registered preliminary final amended corrected cancelled entered-in-error unknown"
    ),
    ("Patient", "gender"): _GENDER,
    ("PatientContact", "gender"): _GENDER,
    ("PatientLink", "type"): _codes("replaced-by replaces refer seealso"),
    ("Practitioner", "gender"): _GENDER,
    ("PractitionerRoleAvailableTime", "daysOfWeek"): _DAY,
    ("Procedure", "status"): _EVENT_STATUS,
    ("ProvenanceEntity", "role"): _codes("derivation revision quotation source removal"),
    ("Quantity", "comparator"): _codes("< <= >= >"),
    ("RelatedPerson", "gender"): _GENDER,
    ("ServiceRequest", "intent"): _REQUEST_INTENT,
    ("ServiceRequest", "priority"): _REQUEST_PRIORITY,
    ("ServiceRequest", "status"): _REQUEST_STATUS,
    ("Specimen", "status"): _codes("available unavailable unsatisfactory entered-in-error"),
    ("TimingRepeat", "dayOfWeek"): _DAY,
    ("TimingRepeat", "durationUnit"): _UNIT_OF_TIME,
    ("TimingRepeat", "periodUnit"): _UNIT_OF_TIME,
}


def bindings(release: RecordFormat) -> Bindings:
    """Return the codes required by one FHIR release."""
    return {} if release is RecordFormat.FHIR_R5_JSON else _R4
