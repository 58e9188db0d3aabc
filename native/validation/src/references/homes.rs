//! Where each resource of a document is at home, and what is known of its neighbours.
//!
//! A home is a resource that stands for itself: the whole content, an entry of a Bundle, a parameter. Homes do not overlap
//! but for those of Bundles inside Bundles, so the byte offset of an element tells whose it is.

use crate::references::literal::{rest_parts, Literal};
use caregrid_fhirpath::{Element, Resolved, Resolver};
use caregrid_json::{Json, Kind};
use caregrid_schema::Schema;
use std::collections::HashMap;

/// What a reference leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// This resource, an entry or contained.
    Found(&'a Json<'a>),
    /// Several entries of one Bundle.
    Ambiguous,
    /// Nothing, and nowhere else could it be.
    Nowhere,
    /// Nothing here, but perhaps elsewhere.
    Unknown,
}

/// A resource that stands for itself.
#[derive(Debug)]
pub(crate) struct Home<'a> {
    pub resource: &'a Json<'a>,
    pub full_url: Option<&'a str>,
    /// Byte offset of its last value.
    end: u32,
    /// The home around it.
    parent: Option<usize>,
}

#[derive(Clone, Copy)]
struct Matches {
    first: usize,
    several: bool,
}

/// The homes of a document; the first is the whole of it.
pub(crate) struct Homes<'a> {
    schema: &'a Schema,
    homes: Vec<Home<'a>>,
    /// Byte offsets of the homes and their places, in the order of the document.
    order: Vec<(u32, usize)>,
    contained: HashMap<(usize, &'a str), &'a Json<'a>>,
    by_url: HashMap<(usize, &'a str), Matches>,
    by_version: HashMap<(usize, &'a str, &'a str), usize>,
    by_name: HashMap<(usize, &'a str, &'a str), Matches>,
}

impl<'a> Homes<'a> {
    /// Find them, in time linear in the entries.
    pub(crate) fn new(schema: &'a Schema, root: &'a Json<'a>) -> Self {
        let mut homes = Self {
            schema,
            homes: Vec::with_capacity(1),
            order: Vec::new(),
            contained: HashMap::new(),
            by_url: HashMap::new(),
            by_version: HashMap::new(),
            by_name: HashMap::new(),
        };
        homes.add(root, None, None);
        homes.order = homes.homes.iter().enumerate().map(|(place, home)| (home.resource.at, place)).collect();
        homes.order.sort_unstable();
        homes
    }

    /// The home at a place.
    pub(crate) fn get(&self, place: usize) -> Option<&Home<'a>> {
        self.homes.get(place)
    }

    /// The type of the Bundle that a home is an entry of.
    pub(crate) fn bundle_type(&self, place: usize) -> Option<&'a str> {
        let around = self.get(place)?.parent?;
        self.get(around)?.resource.text("type")
    }

    /// Whose the element at a byte offset is.
    pub(crate) fn of(&self, at: u32) -> usize {
        let before = self.order.partition_point(|(begin, _)| *begin <= at);
        let mut place =
            before.checked_sub(1).and_then(|last| self.order.get(last)).map_or(0, |(_, place)| *place);
        while let Some(Home { end, parent: Some(parent), .. }) = self.homes.get(place) {
            if at <= *end {
                break;
            }
            place = *parent;
        }
        place
    }

    /// What a literal, written in the home at a place, refers to
    /// (<https://hl7.org/fhir/R4/bundle.html#references>).
    pub(crate) fn find(&self, literal: Literal<'_>, place: usize) -> Target<'a> {
        match literal {
            Literal::Internal(id) => self.internal(place, id),
            Literal::Absolute { url, version } => {
                self.upwards(place, |around| self.by_full_url(around, url, version))
            }
            Literal::Relative { path, version } => {
                self.upwards(place, |around| self.relative(place, around, path, version))
            }
            Literal::Conditional { .. } | Literal::Malformed => Target::Unknown,
        }
    }

    fn add(&mut self, resource: &'a Json<'a>, full_url: Option<&'a str>, parent: Option<usize>) {
        let place = self.homes.len();
        self.homes.push(Home { resource, full_url, end: last(resource), parent });
        for contained in resource.get("contained").map_or(&[][..], Json::elements) {
            if let Some(id) = contained.text("id") {
                self.contained.entry((place, id)).or_insert(contained);
            }
        }
        if let Some(around) = parent {
            self.enter(place, around, resource, full_url);
        }
        match resource.text("resourceType") {
            Some("Bundle") => self.add_entries(resource, place),
            Some("Parameters") => self.add_parameters(resource.get("parameter"), place),
            _ => {}
        }
    }

    fn add_entries(&mut self, bundle: &'a Json<'a>, place: usize) {
        for entry in bundle.get("entry").map_or(&[][..], Json::elements) {
            if let Some(resource) = entry.get("resource") {
                self.add(resource, entry.text("fullUrl"), Some(place));
            }
            if let Some(outcome) = entry.get("response").and_then(|response| response.get("outcome")) {
                self.add(outcome, None, Some(place));
            }
        }
        if let Some(issues) = bundle.get("issues") {
            self.add(issues, None, Some(place));
        }
    }

    fn add_parameters(&mut self, parameters: Option<&'a Json<'a>>, place: usize) {
        for parameter in parameters.map_or(&[][..], Json::elements) {
            if let Some(resource) = parameter.get("resource") {
                self.add(resource, None, Some(place));
            }
            self.add_parameters(parameter.get("part"), place);
        }
    }

    fn enter(&mut self, place: usize, around: usize, resource: &'a Json<'a>, full_url: Option<&'a str>) {
        if let Some(url) = full_url {
            note(&mut self.by_url, (around, url), place);
            if let Some(version) = resource.get("meta").and_then(|meta| meta.text("versionId")) {
                self.by_version.entry((around, url, version)).or_insert(place);
            }
        }
        if let (Some(name), Some(id)) = (resource.text("resourceType"), resource.text("id")) {
            note(&mut self.by_name, (around, name, id), place);
        }
    }

    fn internal(&self, place: usize, id: &str) -> Target<'a> {
        let Some(home) = self.get(place) else { return Target::Nowhere };
        if id.is_empty() {
            return Target::Found(home.resource);
        }
        self.contained.get(&(place, id)).map_or(Target::Nowhere, |one| Target::Found(one))
    }

    /// Look in the Bundle around a home, then in the one around that.
    fn upwards(&self, place: usize, look: impl Fn(usize) -> Target<'a>) -> Target<'a> {
        let mut at = self.get(place).and_then(|home| home.parent);
        while let Some(around) = at {
            match look(around) {
                Target::Unknown => at = self.get(around).and_then(|home| home.parent),
                found => return found,
            }
        }
        Target::Unknown
    }

    fn by_full_url(&self, around: usize, url: &str, version: Option<&str>) -> Target<'a> {
        let Some(matches) = self.by_url.get(&(around, url)) else { return Target::Unknown };
        match version {
            None => self.only(matches),
            Some(version) => match self.by_version.get(&(around, url, version)) {
                Some(place) => self.found(*place),
                // Without a version of its own it may be the one.
                None if !matches.several && self.has_no_version(matches.first) => self.found(matches.first),
                None => Target::Unknown,
            },
        }
    }

    fn relative(&self, place: usize, around: usize, path: &str, version: Option<&str>) -> Target<'a> {
        let from = self.get(place).and_then(|home| home.full_url);
        if let Some(parts) = from.and_then(|url| rest_parts(self.schema, url)) {
            return self.by_full_url(around, &format!("{}{path}", parts.base), version);
        }
        // Where there is no server to be relative to, the type and id are all there is.
        let Some((name, id)) = path.split_once('/') else { return Target::Unknown };
        self.by_name.get(&(around, name, id)).map_or(Target::Unknown, |matches| self.only(matches))
    }

    fn only(&self, matches: &Matches) -> Target<'a> {
        if matches.several {
            Target::Ambiguous
        } else {
            self.found(matches.first)
        }
    }

    fn found(&self, place: usize) -> Target<'a> {
        self.get(place).map_or(Target::Unknown, |home| Target::Found(home.resource))
    }

    fn has_no_version(&self, place: usize) -> bool {
        let meta = self.get(place).and_then(|home| home.resource.get("meta"));
        meta.is_none_or(|meta| meta.get("versionId").is_none())
    }
}

impl<'a> Resolver<'a> for Homes<'a> {
    fn resolve(&self, reference: &str, from: &Element<'a>) -> Resolved<'a> {
        match self.find(Literal::of(self.schema, reference), self.of(from.at())) {
            Target::Found(json) => {
                Element::resource(self.schema, json).map_or(Resolved::Unknown, Resolved::Found)
            }
            Target::Nowhere => Resolved::Nowhere,
            Target::Ambiguous | Target::Unknown => Resolved::Unknown,
        }
    }
}

fn note<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Matches>, key: K, place: usize) {
    map.entry(key)
        .and_modify(|matches| matches.several = true)
        .or_insert(Matches { first: place, several: false });
}

/// Byte offset of the last value inside a value.
fn last(json: &Json<'_>) -> u32 {
    let mut json = json;
    loop {
        let inner = match json.kind {
            Kind::Object(members) => members.last().map(|member| &member.value),
            Kind::Array(elements) => elements.last(),
            _ => None,
        };
        match inner {
            Some(one) => json = one,
            None => return json.at,
        }
    }
}
