//! Links of narratives that lead to elements or contained resources (<https://hl7.org/fhir/R4/narrative.html#id>).

use crate::issue::Place;
use crate::rules;
use crate::walk::Walk;
use caregrid_json::Json;
use caregrid_values::xhtml;
use std::collections::HashSet;

const NOWHERE: &str =
    "the narrative has a link to an id, or an image of one, that the resource does not hold";

impl<'a> Walk<'a, '_> {
    /// Look where the links of a resource's narrative lead. That of a contained resource belongs to its container.
    pub(crate) fn narrative(&mut self, resource: &'a Json<'a>, place: &Place<'_>) {
        let div = resource.get("text").and_then(|text| text.get("div"));
        let Some((div, text)) = div.and_then(|div| Some((div, div.as_str()?))) else { return };
        // Few narratives have such links, and the others are soon told.
        if place.name == "contained" || !(text.contains("\"#") || text.contains("'#")) {
            return;
        }
        let Ok(links) = xhtml::links(text) else { return };
        let mut anchors = HashSet::new();
        collect(resource, &mut anchors);
        if links.targets.iter().any(|target| !target.is_empty() && !anchors.contains(target)) {
            let text = place.inner("text", None);
            self.issues.add(rules::NARRATIVE_LINK, NOWHERE, &text.inner("div", None), div.at);
        }
    }
}

/// Ids in a resource, those of contained ones and inside narratives included, those of a Bundle's entries not.
fn collect(json: &Json<'_>, anchors: &mut HashSet<String>) {
    for member in json.members() {
        match (member.name, member.value.as_str()) {
            ("id", Some(id)) => {
                anchors.insert(id.to_owned());
            }
            ("div", Some(text)) => anchors.extend(xhtml::links(text).unwrap_or_default().anchors),
            ("resource", None) if member.value.get("resourceType").is_some() => {}
            _ => collect(&member.value, anchors),
        }
    }
    json.elements().iter().for_each(|element| collect(element, anchors));
}
