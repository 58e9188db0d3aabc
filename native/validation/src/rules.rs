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
/// Longer than allowed.
pub const MAX_LENGTH: Rule = Rule::error("max-length", "too-long");
/// A code outside of a value set that it must be from.
pub const REQUIRED_BINDING: Rule = Rule::error("required-binding", "code-invalid");
/// A code outside of a value set that it should be from.
pub const EXTENSIBLE_BINDING: Rule = Rule::warning("extensible-binding", "code-invalid");
/// A code that its system does not have.
pub const UNKNOWN_CODE: Rule = Rule::error("unknown-code", "code-invalid");
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
/// An extension whose definition is not known here.
pub const UNKNOWN_EXTENSION: Rule = Rule::information("unknown-extension", "extension");
/// A modifier extension whose definition is not known here: it may change the meaning.
pub const UNKNOWN_MODIFIER: Rule = Rule::error("unknown-modifier-extension", "extension");
