"""Where what HL7 published is wrong.

An official example breaks it, its own description contradicts it, or a later version of FHIR says otherwise.
Each correction has its reason; where a later version has a text for the rule, that text is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """Another expression for a published one."""

    keys: str  #: of the invariants
    published: str
    corrected: str
    reason: str


CORRECTIONS: Final = (
    Correction(
        keys="ref-1 (R4)",
        published=(
            "reference.startsWith('#').not() or "
            "(reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids'))"
        ),
        corrected=(
            "reference.exists() implies (reference.startsWith('#').not() or "
            "(reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids')) or "
            "(reference='#' and %rootResource!=%resource))"
        ),
        reason="empty, so not true, for a Reference with an identifier only (AuditEvent-example-login); "
        "`#` names the container; as in R5",
    ),
    Correction(
        keys="ref-1 (R4B)",
        published=(
            "reference.startsWith('#').not() or "
            "(reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids')) or "
            "(reference='#' and %rootResource!=%resource)"
        ),
        corrected=(
            "reference.exists() implies (reference.startsWith('#').not() or "
            "(reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids')) or "
            "(reference='#' and %rootResource!=%resource))"
        ),
        reason="as for R4",
    ),
    Correction(
        keys="bdl-8 (R4)",
        published="fullUrl.contains('/_history/').not()",
        corrected="fullUrl.exists() implies fullUrl.contains('/_history/').not()",
        reason="empty for an entry without fullUrl (Bundle-bundle-response); as in R4B",
    ),
    Correction(
        keys="ras-2 (R4)",
        published="probability is decimal implies (probability as decimal) <= 100",
        corrected=(
            "probability.empty() or ((probability is decimal) implies ((probability as decimal) <= 100))"
        ),
        reason="empty without a probability (RiskAssessment-prognosis); as in R5",
    ),
    Correction(
        keys="per-1 (R4, R4B)",
        published="start.hasValue().not() or end.hasValue().not() or (start <= end)",
        corrected=(
            "start.hasValue().not() or end.hasValue().not() or (start <= end) or "
            "((start <= end).empty() and (start.lowBoundary() <= end.highBoundary()))"
        ),
        reason="empty for a month and a day in it, which Period allows; only there it is as in R5",
    ),
    Correction(
        keys="rng-2 (R4, R4B)",
        published="low.empty() or high.empty() or (low <= high)",
        corrected=(
            "low.value.empty() or high.value.empty() or "
            "low.lowBoundary().comparable(high.highBoundary()).not() or "
            "(low.lowBoundary() <= high.highBoundary())"
        ),
        reason="empty where the units cannot be compared; as in R5",
    ),
    Correction(
        keys="tim-9 (R4, R4B)",
        published="offset.empty() or (when.exists() and ((when in ('C' | 'CM' | 'CD' | 'CV')).not()))",
        corrected=(
            "offset.empty() or "
            "(when.exists() and when.select($this in ('C' | 'CM' | 'CD' | 'CV')).allFalse())"
        ),
        reason="`in` takes one item, and `when` repeats; as in R5",
    ),
    Correction(
        keys="app-4 (R4, R4B)",
        published=(
            "Appointment.cancelationReason.exists() implies "
            "(Appointment.status='no-show' or Appointment.status='cancelled')"
        ),
        corrected=(
            "Appointment.cancelationReason.exists() implies "
            "(Appointment.status='noshow' or Appointment.status='cancelled')"
        ),
        reason="the code is `noshow`; as in R5",
    ),
    Correction(
        keys="que-12 (R4)",
        published="enableWhen.count() > 2 implies enableBehavior.exists()",
        corrected="enableWhen.count() > 1 implies enableBehavior.exists()",
        reason="its description says more than one; as in R4B",
    ),
    Correction(
        keys="que-7 (R4)",
        published="operator = 'exists' implies (answer is Boolean)",
        corrected="operator = 'exists' implies (answer is boolean)",
        reason="`Boolean` is FHIRPath's own type; as in R4B",
    ),
    Correction(
        keys="con-3 (R4)",
        published=(
            "clinicalStatus.exists() or verificationStatus.coding.where("
            "system='http://terminology.hl7.org/CodeSystem/condition-ver-status' and "
            "code = 'entered-in-error').exists() or category.select($this='problem-list-item').empty()"
        ),
        corrected=(
            "verificationStatus.empty().not() and verificationStatus.coding.where("
            "system='http://terminology.hl7.org/CodeSystem/condition-ver-status' and "
            "code='entered-in-error').exists().not() and category.coding.where("
            "system='http://terminology.hl7.org/CodeSystem/condition-category' and "
            "code='problem-list-item').exists() implies clinicalStatus.empty().not()"
        ),
        reason="compares a CodeableConcept with a text, so it holds for no category at all; as in R4B",
    ),
    Correction(
        keys="cpb-0, csd-0, que-0, vsd-0 and others (R4)",
        published="name.matches('[A-Z]([A-Za-z0-9_]){0,254}')",
        corrected="name.exists() implies name.matches('[A-Z]([A-Za-z0-9_]){0,254}')",
        reason="empty without a name, which is optional; as in R4B",
    ),
    Correction(
        keys="vsd-0 (R4B)",
        published="name.exists() implies name.exists() implies name.matches('[A-Z]([A-Za-z0-9_]){0,254}')",
        corrected="name.exists() implies name.matches('[A-Z]([A-Za-z0-9_]){0,254}')",
        reason="groups from the left, so it is empty without a name; as for the other resources of R4B",
    ),
    Correction(
        keys="apd-1 (R4B)",
        published=(
            "(AdministrableProductDefinition.routeOfAdministration.code.count() + "
            "AdministrableProductDefinition.formOf.resolve().route.count())  < 2"
        ),
        corrected="AdministrableProductDefinition.formOf.resolve().route.empty()",
        reason="refuses a second route, which its description does not; as in R5",
    ),
    Correction(
        keys="sdf-24 (R4B)",
        published=(
            "element.where(type.code='Reference' and id.endsWith('.reference') and "
            "type.targetProfile.exists() and id.substring(0,$this.length()-10) in "
            "%context.element.where(type.code='CodeableReference').id).exists().not()"
        ),
        corrected=(
            "element.where(type.where(code='Reference').exists() and path.endsWith('.reference') and "
            "type.targetProfile.exists() and (path.substring(0,$this.path.length()-10) in "
            "%context.element.where(type.where(code='CodeableReference').exists()).path)).exists().not()"
        ),
        reason="an element has no length, its path has; as in R5",
    ),
    Correction(
        keys="sdf-25 (R4B)",
        published=(
            "element.where(type.code='CodeableConcept' and id.endsWith('.concept') and binding.exists() "
            "and id.substring(0,$this.length()-8) in "
            "%context.element.where(type.code='CodeableReference').id).exists().not()"
        ),
        corrected=(
            "element.where(type.where(code='CodeableConcept').exists() and path.endsWith('.concept') and "
            "binding.exists() and (path.substring(0,$this.path.length()-8) in "
            "%context.element.where(type.where(code='CodeableReference').exists()).path)).exists().not()"
        ),
        reason="as sdf-24",
    ),
    Correction(
        keys="ctm-1 (R5)",
        published="onBehalfOf.exists() implies (member.resolve() is Practitioner)",
        corrected=(
            "onBehalfOf.exists() implies (member.resolve().iif(empty(), true, ofType(Practitioner).exists()))"
        ),
        reason="empty where the member cannot be looked up; as in R4 and R4B",
    ),
    Correction(
        keys="mdd-1 (all)",
        published="whenHandedOver.empty() or whenPrepared.empty() or whenHandedOver >= whenPrepared",
        corrected=(
            "whenHandedOver.empty() or whenPrepared.empty() or "
            "whenHandedOver.highBoundary() >= whenPrepared.lowBoundary()"
        ),
        reason="empty for a day and a time on it, which are in order as far as they say",
    ),
    Correction(
        keys="inv-1 of Task (all)",
        published="lastModified.exists().not() or authoredOn.exists().not() or lastModified >= authoredOn",
        corrected=(
            "lastModified.exists().not() or authoredOn.exists().not() or "
            "lastModified.highBoundary() >= authoredOn.lowBoundary()"
        ),
        reason="as mdd-1",
    ),
    Correction(
        keys="bdl-14 (R5)",
        published="type = 'history' implies entry.request.method != 'PATCH'",
        corrected="type = 'history' implies entry.request.where(method = 'PATCH').empty()",
        reason="empty for a history without entries, and true for any two entries",
    ),
    Correction(
        keys="bdl-16 (R5)",
        published=(
            "issues.exists() implies "
            "(issues.issue.severity = 'information' or issues.issue.severity = 'warning')"
        ),
        corrected=(
            "issues.exists() implies issues.issue.all(severity = 'information' or severity = 'warning')"
        ),
        reason="false for any two issues; its description speaks of each",
    ),
    Correction(
        keys="dgr-1 (R5)",
        published=(
            "composition.exists() implies (composition.resolve().section.entry.reference.where(resolve() is "
            "Observation) in (result.reference|result.reference.resolve().hasMember.reference))"
        ),
        corrected=(
            "composition.resolve().section.entry.reference.where(resolve() is Observation)"
            ".all($this in (%resource.result.reference | "
            "%resource.result.reference.resolve().hasMember.reference))"
        ),
        reason="empty where the composition cannot be looked up; `in` takes one item, not several",
    ),
    Correction(
        keys="inv-1 of allergyintolerance-substanceExposureRisk (R4, R4B)",
        published="substanceExposureRisk.exists() and code.empty()",
        corrected="%resource.code.empty()",
        reason="speaks of the resource's elements but stands on the extension, which has none of them; "
        "R5 asks the same of the resource",
    ),
)

_CORRECTED: Final = {one.published: one.corrected for one in CORRECTIONS}

#: R4 names the text of BCP 13 where it means its codes.
VALUE_SETS: Final = {"http://www.rfc-editor.org/bcp/bcp13.txt": "http://hl7.org/fhir/ValueSet/mimetypes"}


def corrected(expression: str) -> str:
    """Return the expression to use for a published one."""
    return _CORRECTED.get(expression, expression)
