//! The kinds of rules. Their names are stable: programs go by them.

use crate::issue::{Rule, Severity};

/// The text is not JSON.
pub const JSON: Rule = Rule { name: "json", code: "structure", severity: Severity::Fatal };
/// It is no resource of this FHIR version.
pub const RESOURCE_TYPE: Rule = Rule { name: "resource-type", code: "structure", severity: Severity::Fatal };
/// A property that FHIR does not define there.
pub const UNKNOWN_ELEMENT: Rule = Rule::error("unknown-element", "structure");
/// The wrong kind of JSON.
pub const JSON_TYPE: Rule = Rule::error("json-type", "structure");
/// Objects, arrays, strings and nulls that say nothing.
pub const EMPTY: Rule = Rule::error("empty", "structure");
/// Fewer or more than allowed.
pub const CARDINALITY: Rule = Rule::error("cardinality", "required");
/// Two of the types of one element.
pub const CHOICE: Rule = Rule::error("choice", "structure");
/// A value that is not one of its type.
pub const VALUE_FORMAT: Rule = Rule::error("value-format", "value");
/// A narrative.
pub const XHTML: Rule = Rule::error("xhtml", "value");
/// A link of a narrative that leads nowhere in its resource.
// HL7's own examples have some: narratives that were made for a page of their own.
pub const NARRATIVE_LINK: Rule = Rule::warning("narrative-link", "not-found");
/// Longer than allowed.
pub const MAX_LENGTH: Rule = Rule::error("max-length", "too-long");
/// A code outside of a value set that it must be from.
pub const REQUIRED_BINDING: Rule = Rule::error("required-binding", "code-invalid");
/// A code outside of a value set that it should be from.
pub const EXTENSIBLE_BINDING: Rule = Rule::warning("extensible-binding", "code-invalid");
/// A code that its system does not have.
pub const UNKNOWN_CODE: Rule = Rule::error("unknown-code", "code-invalid");
/// A unit that UCUM, or the system that it names, does not have. Software in use writes many of its own, so alone that refuses nothing.
pub const UNKNOWN_UNIT: Rule = Rule::warning("unknown-unit", "code-invalid");
/// A system that cannot be one.
pub const CODE_SYSTEM: Rule = Rule::error("code-system", "code-invalid");
/// A code whose value set or system is not known here.
pub const TERMINOLOGY_NOT_CHECKED: Rule = Rule::information("terminology-not-checked", "not-supported");
/// The same, where a code of the value set is required.
pub const REQUIRED_NOT_CHECKED: Rule = Rule::warning("terminology-not-checked", "not-supported");
/// An invariant.
pub const INVARIANT: Rule = Rule::error("invariant", "invariant");
/// An invariant that is advice.
pub const BEST_PRACTICE: Rule = Rule::warning("best-practice", "invariant");
/// An invariant that could not be evaluated.
pub const INVARIANT_NOT_CHECKED: Rule = Rule::information("invariant-not-checked", "not-supported");
/// An extension.
pub const EXTENSION: Rule = Rule::error("extension", "extension");
/// An extension that stands in an element more often than its definition's root says.
// HL7's own definitions of R4B and R5 do that some hundred times, so nobody may rely on it.
pub const EXTENSION_COUNT: Rule = Rule::warning("extension-count", "extension");
/// An extension whose definition is not known here.
pub const UNKNOWN_EXTENSION: Rule = Rule::information("unknown-extension", "extension");
/// A modifier extension whose definition is not known here: it may change the meaning.
pub const UNKNOWN_MODIFIER: Rule = Rule::error("unknown-modifier-extension", "extension");
/// Something that a profile asks for.
pub const PROFILE: Rule = Rule::error("profile", "structure");
/// A profile that the resource claims to follow, and nothing here defines.
pub const UNKNOWN_PROFILE: Rule = Rule::warning("unknown-profile", "not-supported");
/// A profile that was asked for, and nothing here defines.
pub const PROFILE_ASKED: Rule = Rule::error("unknown-profile", "not-found");
/// A part of a profile that could not be checked.
pub const PROFILE_NOT_CHECKED: Rule = Rule::information("profile-not-checked", "not-supported");
/// Not a reference by its form.
pub const REFERENCE_FORM: Rule = Rule::error("reference-form", "value");
/// A type that the element does not refer to.
pub const REFERENCE_TARGET: Rule = Rule::error("reference-target", "structure");
/// A reference that says it has another type than what it refers to.
pub const REFERENCE_TYPE: Rule = Rule::error("reference-type", "structure");
/// A relative canonical URL.
pub const CANONICAL_RELATIVE: Rule = Rule::warning("canonical-relative", "value");
/// A canonical URL names a contained resource that is not there.
pub const CANONICAL_NOT_FOUND: Rule = Rule::warning("canonical-not-found", "not-found");
/// Several things are referred to.
pub const REFERENCE_AMBIGUOUS: Rule = Rule::error("reference-ambiguous", "multiple-matches");
/// A search in place of a reference, outside of a transaction.
pub const CONDITIONAL_REFERENCE: Rule = Rule::warning("conditional-reference", "business-rule");
/// A contained resource's id is missing, or stands twice.
pub const CONTAINED_ID: Rule = Rule::error("contained-id", "structure");
/// An element's id stands twice in a resource.
pub const DUPLICATE_ID: Rule = Rule::error("duplicate-id", "duplicate");
/// A Bundle as a whole.
pub const BUNDLE: Rule = Rule::error("bundle", "structure");
/// The url of an entry.
pub const BUNDLE_FULL_URL: Rule = Rule::error("bundle-fullurl", "structure");
/// What belongs to the results of a search.
pub const BUNDLE_SEARCH: Rule = Rule::error("bundle-search", "structure");
/// A relation of a Bundle's links.
pub const BUNDLE_LINK: Rule = Rule::error("bundle-link", "duplicate");
/// A relation that means nothing there.
pub const BUNDLE_LINK_UNUSUAL: Rule = Rule::warning("bundle-link-unusual", "business-rule");
/// A request with what it sends.
pub const BUNDLE_REQUEST: Rule = Rule::error("bundle-request", "structure");
/// A resource that a request does not send.
pub const BUNDLE_REQUEST_UNUSUAL: Rule = Rule::warning("bundle-request-unusual", "business-rule");
/// A document or message lacks what its first entry refers to.
pub const BUNDLE_MISSING: Rule = Rule::error("bundle-missing", "not-found");
/// An entry that has nothing to do with the document.
pub const BUNDLE_ORPHAN: Rule = Rule::error("bundle-orphan", "structure");
/// An entry that refers to the document, and is not referred to.
pub const BUNDLE_BACKWARDS: Rule = Rule::warning("bundle-backwards", "informational");
