//! The invariants that are known, letter by letter as HL7 publishes them (ref-1 as R5 has it, which corrects R4's and R4B's).

use super::Known;

pub(super) const TEXTS: [(&str, Known); 10] = [
    ("hasValue() or (children().count() > id.count())", Known::Filled),
    ("hasValue() or (children().count() > id.count()) or $this is Parameters", Known::FilledOrParameters),
    ("extension.exists() != value.exists()", Known::ExtensionOrValue),
    ("contained.contained.empty()", Known::NothingInContained),
    (
        "contained.where((('#'+id in (%resource.descendants().reference | \
         %resource.descendants().as(canonical) | %resource.descendants().as(uri) | \
         %resource.descendants().as(url))) or descendants().where(reference = '#').exists() or \
         descendants().where(as(canonical) = '#').exists() or \
         descendants().where(as(canonical) = '#').exists()).not()).trace('unmatched', id).empty()",
        Known::ContainedIsReferenced { newer: false },
    ),
    (
        "contained.where(((id.exists() and ('#'+id in (%resource.descendants().reference | \
         %resource.descendants().as(canonical) | %resource.descendants().as(uri) | \
         %resource.descendants().as(url)))) or descendants().where(reference = '#').exists() or \
         descendants().where(as(canonical) = '#').exists() or \
         descendants().where(as(uri) = '#').exists()).not()).trace('unmatched', id).empty()",
        Known::ContainedIsReferenced { newer: true },
    ),
    (
        "contained.where((('#'+id in (%resource.descendants().reference | \
         %resource.descendants().ofType(canonical) | %resource.descendants().ofType(uri) | \
         %resource.descendants().ofType(url))) or descendants().where(reference = '#').exists() or \
         descendants().where(ofType(canonical) = '#').exists() or \
         descendants().where(ofType(canonical) = '#').exists()).not()).trace('unmatched', id).empty()",
        Known::ContainedIsReferenced { newer: false },
    ),
    ("contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()", Known::ContainedHasNoVersion),
    ("contained.meta.security.empty()", Known::ContainedHasNoLabels),
    (
        "reference.exists() implies (reference.startsWith('#').not() or \
         (reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids')) or \
         (reference='#' and %rootResource!=%resource))",
        Known::ReferenceIsContained,
    ),
];
