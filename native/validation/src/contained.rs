//! Ids inside a resource: of contained resources (<https://hl7.org/fhir/R4/references.html#contained>) and of elements
//! (<https://hl7.org/fhir/R4/element.html#id>). That contained resources hold none and are referred to, dom-2 to dom-5 say.

use crate::issue::Place;
use crate::rules;
use crate::walk::Walk;
use caregrid_json::{Json, Kind};
use std::collections::HashSet;

const NO_ID: &str = "a contained resource needs an id, for it is referred to by it";
const TWICE: &str = "another contained resource has the same id";
const ELEMENT_TWICE: &str = "another element of this resource has the same id";

/// The elements of StructureDefinitions have one id in the differential and in the snapshot.
const FREE: [&str; 2] = ["snapshot", "differential"];

impl<'a> Walk<'a, '_> {
    /// Check the ids inside a resource.
    pub(crate) fn ids(&mut self, resource: &'a Json<'a>, place: &Place<'_>) {
        if let Some(contained) = resource.get("contained") {
            self.contained_ids(contained.elements(), place);
        }
        let mut found = Vec::new();
        for member in resource.members() {
            if !FREE.contains(&member.name) {
                element_ids(&member.value, &mut found);
            }
        }
        self.element_ids(found, place);
    }

    fn contained_ids(&mut self, contained: &'a [Json<'a>], place: &Place<'_>) {
        let mut seen = HashSet::new();
        for (index, one) in contained.iter().enumerate() {
            let inner = place.inner("contained", Some(index));
            match one.text("id") {
                None => self.issues.add(rules::CONTAINED_ID, NO_ID, &inner, one.at),
                Some(id) if !seen.insert(id) => {
                    self.issues.add(rules::CONTAINED_ID, TWICE, &inner.inner("id", None), one.at);
                }
                Some(_) => {}
            }
        }
    }

    fn element_ids(&mut self, found: Vec<&'a Json<'a>>, place: &Place<'_>) {
        if found.len() < 2 {
            return;
        }
        let mut seen = HashSet::with_capacity(found.len());
        for id in found {
            if id.as_str().is_some_and(|text| !seen.insert(text)) {
                self.issues.add(rules::DUPLICATE_ID, ELEMENT_TWICE, place, id.at);
            }
        }
    }
}

/// The ids of an element and of those inside it, up to resources, which have ids of their own.
fn element_ids<'a>(json: &'a Json<'a>, found: &mut Vec<&'a Json<'a>>) {
    match json.kind {
        Kind::Object(members) => {
            if members.iter().any(|member| member.name == "resourceType") {
                return;
            }
            for member in members {
                if member.name == "id" {
                    found.push(&member.value);
                } else {
                    element_ids(&member.value, found);
                }
            }
        }
        Kind::Array(elements) => elements.iter().for_each(|element| element_ids(element, found)),
        _ => {}
    }
}
