"""The first level of validation: JSON, structure, types, cardinalities and some required codes."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from caregrid.fhir import codes, library, rules, strict_json, structure
from caregrid.fhir.models import Models
from caregrid.fhir.port import Validator, Verdict
from caregrid.fhir.rules import Issue
from caregrid.records import RecordFormat

DICOM_PREAMBLE_BYTES: Final = 128
DICOM_MAGIC: Final = b"DICM"

_FHIR: Final = frozenset({RecordFormat.FHIR_R4_JSON, RecordFormat.FHIR_R4B_JSON, RecordFormat.FHIR_R5_JSON})

#: What most records are; their model classes are loaded by `warm_up`.
COMMON_RESOURCES: Final = (
    "AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "DiagnosticReport", "DocumentReference",
    "Encounter", "Goal", "ImagingStudy", "Immunization", "Location", "MedicationRequest", "Observation",
    "Organization", "Patient", "Practitioner", "PractitionerRole", "Procedure", "ServiceRequest", "Specimen",
)  # fmt: skip


class FirstLevelValidator(Validator):
    """Checks FHIR JSON by our own walk over the library's element tables, then by the library itself.

    What it finds: broken or ambiguous JSON; unknown resources and properties; wrong JSON types; missing
    required elements; repeated elements that do not repeat; more than one type of a choice; nulls and empty
    values; the written form of every primitive; and, in R4 and R4B, codes outside the required value sets
    listed in :mod:`caregrid.fhir.codes`. Where the structure is unsound, the library is not asked, so a bad
    date beside an unknown property shows only when the property is gone.

    What it lets through: invariants other than ele-1 (`obs-6`, `con-5`, ...); profiles, slicing and
    `meta.profile`; value sets bound to CodeableConcept or missing in our table; codes of R5; whether
    references resolve, or point to a kind that is allowed; whether narrative is safe XHTML; UCUM units;
    unknown modifier extensions.

    R4 is checked against the model classes of R4B (fhir.resources has none for R4 itself). Compared with R4's
    own JSON schema, element by element: resources that R4 lacks are refused as unknown; those that R4B
    dropped (`MedicinalProduct` and its family, `SubstanceSpecification` and its family,
    `EffectEvidenceSynthesis`, `RiskEvidenceSynthesis`) as not supported; `Evidence` and `EvidenceVariable`
    are judged by the R4B definition, so most of R4 are wrongly refused; R4B's `valueCodeableReference`,
    `valueRatioRange`, `subjectCanonical`, and a `MarketingStatus` without country or dates pass. In R4
    and R5 `valueMeta` is wrongly refused, as the library does not have it.

    On the published examples of R4B, 8,849 files of all kinds, 26 are refused, all of them with good reason:
    search parameters without `base` or with ids over 64 characters, terminology without `status`.

    For DICOM only the magic is checked, for BINARY that there is something.
    """

    def warm_up(self, record_format: RecordFormat = RecordFormat.FHIR_R4_JSON) -> None:
        """Load the model classes of the common resources, which the first records would else wait for."""
        models = _walk(record_format).models
        for name in COMMON_RESOURCES:
            models.load(name)

    def validate(self, content: bytes, record_format: RecordFormat) -> Verdict:
        """Judge one record; see :meth:`Validator.validate`."""
        if record_format not in _FHIR:
            return _verdict(_opaque_issues(content, record_format), None)
        try:
            resource = strict_json.parse(content)
        except strict_json.RefusedError as exc:
            return _verdict([exc.issue], None)
        return self._judge(_walk(record_format), resource)

    @staticmethod
    def _judge(walk: structure.Walk, resource: Any) -> Verdict:
        issues = walk.first_issues(resource)
        name = resource.get("resourceType") if isinstance(resource, dict) else None
        shape = walk.models.resource(name) if isinstance(name, str) else None
        if shape is not None and not issues:
            issues = library.examine(walk.models, shape, resource)
        return _verdict(issues, None if shape is None else shape.name)


@cache
def _walk(record_format: RecordFormat) -> structure.Walk:
    return structure.Walk(Models(record_format), codes.bindings(record_format))


def _opaque_issues(content: bytes, record_format: RecordFormat) -> list[Issue]:
    if not content:
        return [Issue(rules.EMPTY)]
    magic = content[DICOM_PREAMBLE_BYTES : DICOM_PREAMBLE_BYTES + len(DICOM_MAGIC)]
    if record_format is RecordFormat.DICOM and magic != DICOM_MAGIC:
        return [Issue(rules.NOT_DICOM)]
    return []


def _verdict(issues: list[Issue], resource_type: str | None) -> Verdict:
    return Verdict(valid=not issues, outcome=rules.outcome(issues), resource_type=resource_type)
