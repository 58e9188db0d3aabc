//! Profiles: what a StructureDefinition asks for beyond its type (<https://hl7.org/fhir/R4/profiling.html>).
//!
//! A snapshot becomes a tree of what the profile adds; an instance is walked along that tree, after the walk along its
//! type, so that what the type says is said once.

mod claims;
mod follow;
mod slicing;
mod tree;
mod value;

use caregrid_schema::form::Structure;
use caregrid_schema::Schema;
use std::collections::HashMap;
use std::sync::OnceLock;
pub(crate) use tree::Profile;

/// Builds on it: the code of an Observation that it fixes calls for it, claimed or not.
const VITAL_SIGNS: &str = "http://hl7.org/fhir/StructureDefinition/vitalsigns";

/// HL7's own.
const HL7: &str = "http://hl7.org/fhir/StructureDefinition/";

/// The profiles of a schema, made ready when first asked for.
pub(crate) struct Profiles {
    trees: HashMap<String, OnceLock<Profile>>,
    /// LOINC code and profile.
    vital_signs: HashMap<String, String>,
}

impl Profiles {
    /// For the structures of a schema.
    pub(crate) fn new(schema: &Schema) -> Self {
        let constraints = schema.structures.values().filter(|one| one.constraint);
        Self {
            trees: constraints.map(|one| (one.url.clone(), OnceLock::new())).collect(),
            vital_signs: schema.structures.values().filter_map(vital_sign).collect(),
        }
    }

    /// A profile by its canonical url, with or without a version; `None` if it is not known, or no profile.
    pub(crate) fn get(&self, schema: &Schema, url: &str) -> Option<&Profile> {
        let url = without_version(url);
        let tree = self.trees.get(url)?;
        let structure = schema.structures.get(url)?;
        Some(tree.get_or_init(|| tree::build(schema, structure)))
    }

    /// The profile that an Observation with this LOINC code follows
    /// (<https://hl7.org/fhir/R4/observation-vitalsigns.html>).
    pub(crate) fn vital_sign(&self, code: &str) -> Option<&str> {
        self.vital_signs.get(code).map(String::as_str)
    }
}

/// A canonical url without `|version`.
pub(crate) fn without_version(url: &str) -> &str {
    url.split_once('|').map_or(url, |(url, _)| url)
}

fn vital_sign(profile: &Structure) -> Option<(String, String)> {
    if profile.base.as_deref() != Some(VITAL_SIGNS) || !profile.url.starts_with(HL7) {
        return None;
    }
    let code = profile.elements.iter().find(|element| {
        let id = element.id.as_deref().unwrap_or_default();
        id.starts_with("Observation.code.coding:") && id.ends_with(".code")
    })?;
    Some((code.fixed.as_ref()?.as_str()?.to_owned(), profile.url.clone()))
}
