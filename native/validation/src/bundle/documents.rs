//! Documents and messages (<https://hl7.org/fhir/R4/documents.html>, <https://hl7.org/fhir/R4/messaging.html>): what the first entry
//! refers to is in the Bundle, and everything in the Bundle belongs to it.

use crate::bundle::Bundle;
use crate::issue::Place;
use crate::references::homes::Target;
use crate::references::literal::Literal;
use crate::rules;
use crate::walk::Walk;
use caregrid_json::{Json, Kind};
use std::collections::HashMap;

const NOT_THERE: &str = "what this refers to is not in the Bundle";
const ORPHAN: &str =
    "no references lead from the first entry to this one, nor from this one to those of the document";
const BACKWARDS: &str = "no references lead from the first entry to this one";

/// What a Composition refers to that a document holds.
const OF_COMPOSITION: [&str; 8] = [
    "subject",
    "encounter",
    "author",
    "custodian",
    "attester.party",
    "event.detail",
    "event.detail.reference",
    "section",
];

const OF_SECTION: [&str; 4] = ["author", "focus", "entry", "section"];

const OF_MESSAGE: [&str; 1] = ["focus"];

impl<'a> Walk<'a, '_> {
    /// Check the entries of a document or message against its first one.
    pub(crate) fn interlinked(&mut self, bundle: Bundle<'a>, place: &Place<'_>) {
        let Some(first) = bundle.entries.first().and_then(|entry| entry.get("resource")) else { return };
        let entry = place.inner("entry", Some(0));
        let inner = entry.inner("resource", None);
        match first.text("resourceType") {
            Some("Composition") => self.holds_all(first, &OF_COMPOSITION, &inner),
            Some("MessageHeader") => self.holds_all(first, &OF_MESSAGE, &inner),
            _ => return,
        }
        self.reachable(bundle, place);
    }

    fn holds_all(&mut self, json: &'a Json<'a>, paths: &[&'static str], place: &Place<'_>) {
        for path in paths {
            self.holds(json, path, place);
        }
    }

    fn holds(&mut self, json: &'a Json<'a>, path: &'static str, place: &Place<'_>) {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let Some(value) = json.get(name) else { return };
        let list = matches!(value.kind, Kind::Array(_));
        let elements = if list { value.elements() } else { std::slice::from_ref(value) };
        for (index, one) in elements.iter().enumerate() {
            let inner = place.inner(name, list.then_some(index));
            match rest {
                Some(rest) => self.holds(one, rest, &inner),
                None if name == "section" => self.holds_all(one, &OF_SECTION, &inner),
                None => self.is_there(one, &inner),
            }
        }
    }

    fn is_there(&mut self, reference: &'a Json<'a>, place: &Place<'_>) {
        let Some(written) = reference.get("reference") else { return };
        let Some(text) = written.as_str() else { return };
        let literal = Literal::of(self.schema(), text);
        let homes = self.world.homes;
        if let Target::Unknown = homes.find(literal, homes.of(written.at)) {
            self.issues.add(rules::BUNDLE_MISSING, NOT_THERE, &place.inner("reference", None), written.at);
        }
    }

    fn reachable(&mut self, bundle: Bundle<'a>, place: &Place<'_>) {
        let graph = Graph::of(self, bundle);
        let forward = graph.reached(&graph.forward);
        let either = graph.reached(&graph.either);
        for (index, entry) in bundle.entries.iter().enumerate() {
            if entry.get("resource").is_none() || forward[index] {
                continue;
            }
            let rule = match either[index] {
                false if bundle.kind == "document" => rules::BUNDLE_ORPHAN,
                _ => rules::BUNDLE_BACKWARDS,
            };
            let text = if either[index] { BACKWARDS } else { ORPHAN };
            self.issues.add(rule, text, &place.inner("entry", Some(index)), entry.at);
        }
    }
}

/// Which entries refer to which.
struct Graph {
    forward: Vec<Vec<usize>>,
    either: Vec<Vec<usize>>,
    /// Entries that the Bundle's own links name, such as the style sheet.
    roots: Vec<usize>,
}

impl Graph {
    fn of<'a>(walk: &Walk<'a, '_>, bundle: Bundle<'a>) -> Self {
        let count = bundle.entries.len();
        let mut graph =
            Self { forward: vec![Vec::new(); count], either: vec![Vec::new(); count], roots: vec![0] };
        let resources = bundle.entries.iter().enumerate();
        let places: HashMap<u32, usize> =
            resources.filter_map(|(index, entry)| Some((entry.get("resource")?.at, index))).collect();
        let finder = Finder { walk, places };
        for (index, entry) in bundle.entries.iter().enumerate() {
            let Some(resource) = entry.get("resource") else { continue };
            finder.visit(resource, resource.at, &mut |target| graph.join(index, target));
        }
        let roots = &mut graph.roots;
        if let (Some(links), Some(first)) = (bundle.json.get("link"), bundle.entries.first()) {
            let at = first.get("resource").map_or(first.at, |resource| resource.at);
            finder.visit(links, at, &mut |target| roots.push(target));
        }
        graph
    }

    fn join(&mut self, from: usize, to: usize) {
        self.forward[from].push(to);
        self.either[from].push(to);
        self.either[to].push(from);
    }

    fn reached(&self, edges: &[Vec<usize>]) -> Vec<bool> {
        let mut reached = vec![false; edges.len()];
        let mut open = self.roots.clone();
        while let Some(place) = open.pop() {
            if !std::mem::replace(&mut reached[place], true) {
                open.extend(&edges[place]);
            }
        }
        reached
    }
}

/// Finds the entries that the texts inside a resource name.
struct Finder<'w, 'a, 'i> {
    walk: &'w Walk<'a, 'i>,
    /// By the byte offset of the resource.
    places: HashMap<u32, usize>,
}

impl<'a> Finder<'_, 'a, '_> {
    fn visit(&self, json: &'a Json<'a>, home: u32, found: &mut impl FnMut(usize)) {
        match json.kind {
            Kind::Object(members) => {
                for member in members {
                    match member.value.kind {
                        Kind::String(text) => self.text(member.name, text, home, found),
                        _ => self.visit(&member.value, home, found),
                    }
                }
            }
            Kind::Array(elements) => {
                for element in elements {
                    match element.kind {
                        Kind::String(text) => self.text("", text, home, found),
                        _ => self.visit(element, home, found),
                    }
                }
            }
            _ => {}
        }
    }

    /// References by any of their forms; other URLs as they are written.
    fn text(&self, name: &str, text: &str, home: u32, found: &mut impl FnMut(usize)) {
        if name != "reference" && !text.contains(':') {
            return;
        }
        let homes = self.walk.world.homes;
        let literal = Literal::of(self.walk.schema(), text);
        if let Target::Found(resource) = homes.find(literal, homes.of(home)) {
            if let Some(place) = self.places.get(&resource.at) {
                found(*place);
            }
        }
    }
}
