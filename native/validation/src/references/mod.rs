//! References: how they are written, what they may refer to, and whether it is there.

pub(crate) mod homes;
pub(crate) mod literal;

use crate::issue::Place;
use crate::rules;
use crate::walk::Walk;
use caregrid_fhirpath::Element;
use caregrid_json::Json;
use caregrid_schema::{ElementDef, Schema, TypeUse};
use caregrid_values::Primitive;
use homes::Target;
use literal::{is_absolute, Literal};

/// Where HL7 keeps its types and profiles.
const HL7: &str = "http://hl7.org/fhir/StructureDefinition/";

const FORM: &str = "a reference is Type/id, an absolute URL, or # and the id of a contained resource";
const WRONG_TYPE: &str = "this element does not refer to resources of that type";
const TYPE_DIFFERS: &str = "the reference names another type than what it refers to has";
const SEVERAL: &str = "several entries of the Bundle match this reference";
const CONDITIONAL: &str = "a search in place of a reference is for the requests of a transaction only";
const CANONICAL: &str = "a canonical URL is absolute, or # and the id of a contained resource";
const NOT_CONTAINED: &str = "no contained resource has this id";

impl<'a> Walk<'a, '_> {
    /// Check what a Reference or CodeableReference refers to against what its element may
    /// (<https://hl7.org/fhir/R4/references.html>).
    pub(crate) fn reference(&mut self, element: &Element<'a>, used: Option<&'a TypeUse>, place: &Place<'_>) {
        let Some(json) = element.value else { return };
        let targets = used.map_or(&[][..], |used| &used.targets);
        match self.schema().shape(element.shape).name.as_str() {
            "Reference" => self.target_types(json, targets, place),
            "CodeableReference" => {
                if let Some(inner) = json.get("reference").filter(|_| !targets.is_empty()) {
                    self.target_types(inner, targets, &place.inner("reference", None));
                }
            }
            _ => {}
        }
    }

    /// Check how a Reference is written, and that it leads to one resource at most.
    pub(crate) fn reference_form(&mut self, element: &Element<'a>, place: &Place<'_>) {
        let Some(json) = element.value else { return };
        let Some(written) = json.get("reference") else { return };
        let Some(text) = written.as_str().filter(|text| !text.is_empty()) else { return };
        let inner = place.inner("reference", None);
        let literal = Literal::of(self.schema(), text);
        let home = self.world.homes.of(json.at);
        match literal {
            Literal::Malformed => self.issues.add(rules::REFERENCE_FORM, FORM, &inner, written.at),
            Literal::Conditional { .. } if !self.in_transaction(home) => {
                self.issues.add(rules::CONDITIONAL_REFERENCE, CONDITIONAL, &inner, written.at);
            }
            _ if matches!(self.world.homes.find(literal, home), Target::Ambiguous)
                && !self.in_history(home) =>
            {
                self.issues.add(rules::REFERENCE_AMBIGUOUS, SEVERAL, &inner, written.at);
            }
            _ => {}
        }
    }

    /// Check the type that a reference names, and that of what it refers to.
    fn target_types(&mut self, json: &'a Json<'a>, targets: &'a [String], place: &Place<'_>) {
        let named = json.text("type").map(|name| name.strip_prefix(HL7).unwrap_or(name));
        let actual = json.text("reference").and_then(|text| self.type_referred_to(text, json.at));
        let at = |name| json.get(name).map_or(json.at, |value| value.at);
        if let (Some(named), Some(actual)) = (named, actual) {
            if named != actual {
                let inner = place.inner("type", None);
                self.issues.add(rules::REFERENCE_TYPE, TYPE_DIFFERS, &inner, at("type"));
            }
        }
        let (name, found) = match (actual, named) {
            (Some(actual), _) => ("reference", actual),
            (None, Some(named)) => ("type", named),
            (None, None) => return,
        };
        if !may_refer_to(self.schema(), targets, found) {
            self.issues.add(rules::REFERENCE_TARGET, WRONG_TYPE, &place.inner(name, None), at(name));
        }
    }

    fn type_referred_to(&self, text: &'a str, at: u32) -> Option<&'a str> {
        let literal = Literal::of(self.schema(), text);
        match self.world.homes.find(literal, self.world.homes.of(at)) {
            Target::Found(resource) => resource.text("resourceType"),
            _ => literal.type_name(self.schema()),
        }
    }

    /// Check the fragment and the form of a canonical URL (<https://hl7.org/fhir/R4/references.html#canonical>), and
    /// that what has one says so by an absolute URL.
    pub(crate) fn canonical(
        &mut self,
        value: &'a Json<'a>,
        primitive: Primitive,
        def: &ElementDef,
        place: &Place<'_>,
    ) {
        let defines =
            def.name == "url" && self.schema().resource(def.path.trim_end_matches(".url")).is_some();
        let Some(text) = value.as_str().filter(|_| defines || primitive == Primitive::Canonical) else {
            return;
        };
        match text.strip_prefix('#') {
            Some(id) => {
                let home = self.world.homes.of(value.at);
                if matches!(self.world.homes.find(Literal::Internal(id), home), Target::Nowhere) {
                    self.issues.add(rules::CANONICAL_NOT_FOUND, NOT_CONTAINED, place, value.at);
                }
            }
            None if !is_absolute(text) => {
                // HL7's own examples for 4.0 have relative ones by the dozen, and none since.
                let tolerated = !defines && self.schema().version.starts_with("4.0");
                let rule = if tolerated { rules::CANONICAL_RELATIVE } else { rules::REFERENCE_FORM };
                self.issues.add(rule, CANONICAL, place, value.at);
            }
            None => {}
        }
    }

    fn in_transaction(&self, home: usize) -> bool {
        matches!(self.world.homes.bundle_type(home), Some("transaction" | "batch"))
    }

    /// Where the versions of one resource have the same URL.
    fn in_history(&self, home: usize) -> bool {
        self.world.homes.bundle_type(home) == Some("history")
    }
}

/// Whether a resource type is one of those that an element refers to.
pub(crate) fn may_refer_to(schema: &Schema, targets: &[String], type_name: &str) -> bool {
    let plain = |target: &String| target.strip_prefix(HL7) == Some(type_name);
    targets.is_empty()
        || targets.iter().any(plain)
        || targets.iter().any(|target| profile_allows(schema, target, type_name))
}

fn profile_allows(schema: &Schema, target: &str, type_name: &str) -> bool {
    let wanted = match schema.structures.get(target) {
        Some(structure) => structure.type_name.as_str(),
        None => target.strip_prefix(HL7).unwrap_or(target),
    };
    match (schema.named(wanted), schema.named(type_name)) {
        (Some(wanted), Some(found)) => schema.is_a(found, wanted),
        // A profile that is not known says nothing of types.
        _ => true,
    }
}
