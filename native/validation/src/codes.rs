//! Which codes there are.

use caregrid_schema::form::{CodeSystem, ValueSet};
use caregrid_schema::Schema;
use caregrid_values::codes;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// Units of measure.
pub(crate) const UCUM: &str = "http://unitsofmeasure.org";
/// All of them.
const UNITS: &str = "http://hl7.org/fhir/ValueSet/ucum-units";
const MEDIA_TYPES: &str = "http://hl7.org/fhir/ValueSet/mimetypes";
const LANGUAGES: [&str; 2] =
    ["http://hl7.org/fhir/ValueSet/all-languages", "http://hl7.org/fhir/ValueSet/languages"];

/// Whether a code belongs to a value set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// It does.
    Member,
    /// It does not.
    Stranger,
    /// Not to be told from the definitions.
    Unknown,
}

/// Value sets, made quick to search when first asked for.
pub struct Codes {
    sets: HashMap<String, OnceLock<Set>>,
}

struct Set {
    /// Codes with their systems.
    codes: HashMap<String, HashSet<String>>,
    /// Codes of any system: where an element has a code and no system.
    plain: HashSet<String>,
    open: bool,
}

impl Codes {
    /// For the value sets of a schema.
    pub fn new(schema: &Schema) -> Self {
        Self { sets: schema.value_sets.keys().map(|url| (url.clone(), OnceLock::new())).collect() }
    }

    /// Whether a code without a system belongs to a value set.
    pub fn has_plain(&self, schema: &Schema, url: &str, code: &str) -> Membership {
        if url == MEDIA_TYPES {
            return known(codes::is_media_type(code));
        }
        if LANGUAGES.contains(&url) {
            return known(codes::is_language(code));
        }
        if url == UNITS {
            return known(codes::is_unit(code));
        }
        match self.set(schema, url) {
            Some(set) if set.plain.contains(code) => Membership::Member,
            Some(set) if !set.open => Membership::Stranger,
            _ => Membership::Unknown,
        }
    }

    /// Whether a code of a system belongs to a value set.
    pub fn has(&self, schema: &Schema, url: &str, system: &str, code: &str) -> Membership {
        if system == "urn:ietf:bcp:13" || system == "urn:ietf:bcp:47" || (system == UCUM && url == UNITS) {
            return self.has_plain(schema, url, code);
        }
        let Some(set) = self.set(schema, url) else { return Membership::Unknown };
        match set.codes.get(system) {
            Some(codes) if codes.contains(code) => Membership::Member,
            _ if !set.open => Membership::Stranger,
            _ => Membership::Unknown,
        }
    }

    fn set(&self, schema: &Schema, url: &str) -> Option<&Set> {
        let definition = schema.value_sets.get(url)?;
        Some(self.sets.get(url)?.get_or_init(|| expand(schema, definition)))
    }
}

/// Whether a code is one of its system's; `None` if the definitions do not have them all.
pub fn is_code_of(schema: &Schema, system: &str, code: &str) -> Option<bool> {
    if system == UCUM {
        return Some(codes::is_unit(code));
    }
    let system = schema.code_systems.get(system).filter(|system| system.complete)?;
    let alike = || system.codes.keys().any(|known| known.eq_ignore_ascii_case(code));
    Some(system.codes.contains_key(code) || (!system.case_sensitive && alike()))
}

fn known(member: bool) -> Membership {
    if member {
        Membership::Member
    } else {
        Membership::Stranger
    }
}

fn expand(schema: &Schema, definition: &ValueSet) -> Set {
    let mut set = Set { codes: HashMap::new(), plain: HashSet::new(), open: definition.open };
    for (system, codes) in &definition.codes {
        set.add(system, codes);
    }
    for system in &definition.systems {
        match schema.code_systems.get(system) {
            Some(CodeSystem { complete, codes, .. }) => {
                set.add(system, codes.keys());
                set.open |= !complete;
            }
            None => set.open = true,
        }
    }
    set
}

impl Set {
    fn add<'c>(&mut self, system: &str, codes: impl IntoIterator<Item = &'c String>) {
        let known = self.codes.entry(system.to_owned()).or_default();
        for code in codes {
            known.insert(code.clone());
            self.plain.insert(code.clone());
        }
    }
}
