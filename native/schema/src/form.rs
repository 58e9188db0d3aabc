//! The compact form of HL7's definitions, as `scripts/make-definitions` writes it: gzipped JSON.
//!
//! What is absent has the default that the field's comment names.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The version of this form that is understood.
pub const FORM: u32 = 1;

/// One file: everything that one FHIR version defines.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definitions {
    /// [`FORM`].
    pub form: u32,
    /// FHIR's own version: `4.0.1`, `4.3.0` or `5.0.0`.
    pub version: String,
    /// Where it all comes from.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// What elements refer to by place.
    #[serde(default)]
    pub invariants: Vec<Invariant>,
    /// Types, resources, profiles and extensions.
    #[serde(default)]
    pub structures: Vec<Structure>,
    /// By canonical url, without version.
    #[serde(default)]
    pub value_sets: BTreeMap<String, ValueSet>,
    /// By canonical url.
    #[serde(default)]
    pub code_systems: BTreeMap<String, CodeSystem>,
}

/// A package that definitions were taken from.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name in its registry.
    pub package: String,
    /// Its version.
    pub version: String,
    /// SPDX.
    pub license: String,
    /// Of the package's archive, hex.
    pub sha256: String,
}

/// A rule in FHIRPath.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Invariant {
    /// `dom-2`.
    pub key: String,
    /// `true`: a warning only; `false`: an error.
    #[serde(default)]
    pub warning: bool,
    /// What it says, in HL7's words.
    pub human: String,
    /// FHIRPath; empty where HL7 gives none.
    #[serde(default)]
    pub expression: String,
}

/// A StructureDefinition's snapshot.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// Canonical url, without version.
    pub url: String,
    /// The computer's name.
    pub name: String,
    /// What it describes: `Patient`, `Extension`, ...
    #[serde(rename = "type")]
    pub type_name: String,
    /// `primitive-type`, `complex-type`, `resource` or `logical`.
    pub kind: String,
    /// No instance has exactly this type.
    #[serde(default, rename = "abstract")]
    pub is_abstract: bool,
    /// `true`: a profile or an extension; `false`: a type of its own.
    #[serde(default)]
    pub constraint: bool,
    /// Canonical url of what it builds on.
    #[serde(default)]
    pub base: Option<String>,
    /// Of an extension: where it may stand.
    #[serde(default)]
    pub context: Vec<ExtensionContext>,
    /// Of an extension: FHIRPath that must hold where it stands.
    #[serde(default, rename = "contextInvariants")]
    pub context_invariants: Vec<String>,
    /// The snapshot, in its order; the first is the root.
    pub elements: Vec<Element>,
}

/// Where an extension may stand.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct ExtensionContext {
    /// `element`, `extension` or `fhirpath`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A path or type, an extension's url, or FHIRPath.
    pub expression: String,
}

/// An ElementDefinition.
#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Element {
    /// `Observation.component:systolic.value[x]`; absent if it is the path.
    #[serde(default)]
    pub id: Option<String>,
    /// `Observation.component.value[x]`.
    pub path: String,
    /// 0 if absent.
    #[serde(default)]
    pub min: u32,
    /// Any number if absent.
    #[serde(default)]
    pub max: Option<u32>,
    /// The base's own maximum is above 1, so JSON writes an array (profiles only; absent if as `max`).
    #[serde(default)]
    pub list: Option<bool>,
    /// Empty for roots and content references.
    #[serde(default)]
    pub types: Vec<TypeRef>,
    /// `#Observation.referenceRange`, without a version or url before the `#`.
    #[serde(default)]
    pub content_reference: Option<String>,
    /// Which codes.
    #[serde(default)]
    pub binding: Option<Binding>,
    /// Places in [`Definitions::invariants`].
    #[serde(default)]
    pub invariants: Vec<u32>,
    /// Exactly this value; JSON as in the StructureDefinition.
    #[serde(default)]
    pub fixed: Option<serde_json::Value>,
    /// At least this value.
    #[serde(default)]
    pub pattern: Option<serde_json::Value>,
    /// As in the StructureDefinition.
    #[serde(default)]
    pub min_value: Option<serde_json::Value>,
    /// As in the StructureDefinition.
    #[serde(default)]
    pub max_value: Option<serde_json::Value>,
    /// Characters.
    #[serde(default)]
    pub max_length: Option<u32>,
    /// It may change the meaning of what it stands in.
    #[serde(default)]
    pub modifier: bool,
    /// How slices are told apart.
    #[serde(default)]
    pub slicing: Option<Slicing>,
    /// Name of the slice that begins here.
    #[serde(default)]
    pub slice: Option<String>,
}

/// One of the types an element may have.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct TypeRef {
    /// `CodeableConcept`; FHIRPath's `System.String` is written as the FHIR type `string`
    /// (`id` for a resource's id, `uri` for `Extension.url`).
    pub code: String,
    /// The value follows one of these.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// The referenced resource follows one of these.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// A binding.
#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// `required`, `extensible`, `preferred` or `example`.
    pub strength: String,
    /// Canonical url, without version.
    #[serde(default)]
    pub value_set: Option<String>,
    /// Extension elementdefinition-maxValueSet, without version.
    #[serde(default)]
    pub max: Option<String>,
}

/// Slicing.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Slicing {
    /// `open`, `closed` or `openAtEnd`.
    pub rules: String,
    /// The slices come in the order of their definition.
    #[serde(default)]
    pub ordered: bool,
    /// How slices are told apart.
    #[serde(default)]
    pub discriminator: Vec<Discriminator>,
}

/// A discriminator.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Discriminator {
    /// `value`, `exists`, `pattern`, `type` or `profile`.
    #[serde(rename = "type")]
    pub kind: String,
    /// FHIRPath, of the restricted kind.
    pub path: String,
}

/// An expanded ValueSet.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct ValueSet {
    /// Codes by system, where every one is known from the definitions alone.
    #[serde(default)]
    pub codes: BTreeMap<String, Vec<String>>,
    /// Every code of these systems, whichever they are.
    #[serde(default)]
    pub systems: Vec<String>,
    /// Something belongs to it that the definitions do not list (a filter, or a system such as SNOMED CT):
    /// a code that is not found is then not known to be wrong.
    #[serde(default)]
    pub open: bool,
}

/// A CodeSystem.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct CodeSystem {
    /// Every code there is stands in `codes` (content `complete`).
    #[serde(default)]
    pub complete: bool,
    /// `false`: codes are compared without regard to case.
    #[serde(default, rename = "caseSensitive")]
    pub case_sensitive: bool,
    /// Code and display; a display is empty where none is given.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
}
