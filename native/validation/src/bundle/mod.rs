//! Bundles, beyond what the invariants bdl-* say (<https://hl7.org/fhir/R4/bundle.html>).

mod documents;
mod requests;

use crate::issue::Place;
use crate::references::literal::{is_absolute, rest_parts};
use crate::rules;
use crate::walk::Walk;
use caregrid_json::Json;

const NO_FIRST: &str = "a document or message begins with an entry, and there is none";
const NO_FULL_URL: &str = "each entry has a fullUrl, but for transactions and batches";
const RELATIVE: &str = "a fullUrl is an absolute URL";
const DISAGREES: &str = "the fullUrl names another type or id than the resource has";
const NO_ID: &str = "the fullUrl is that of a server, so the resource has its id";
const NO_RESOURCE: &str = "each entry of a search's results has a resource";
const NO_RESULT_ID: &str = "each resource that a search found has an id";
const NO_OUTCOME: &str = "what a search says of itself is an OperationOutcome";
const LINK_TWICE: &str = "this relation stands once among the links of a Bundle";
const LINK_PAGES: &str = "only the results of searches and histories come in pages";

/// Relations of which there is one.
const PAGES: [&str; 5] = ["first", "prev", "previous", "next", "last"];

/// A Bundle with its type.
#[derive(Clone, Copy)]
pub(crate) struct Bundle<'a> {
    pub json: &'a Json<'a>,
    pub kind: &'a str,
    pub entries: &'a [Json<'a>],
}

impl<'a> Walk<'a, '_> {
    /// Check a Bundle as a whole.
    pub(crate) fn bundle(&mut self, json: &'a Json<'a>, place: &Place<'_>) {
        let entries = json.get("entry").map_or(&[][..], Json::elements);
        let bundle = Bundle { json, kind: json.text("type").unwrap_or_default(), entries };
        self.links(bundle, place);
        for (index, entry) in entries.iter().enumerate() {
            self.entry(bundle, entry, &place.inner("entry", Some(index)));
        }
        if matches!(bundle.kind, "document" | "message") {
            if entries.is_empty() {
                self.issues.add(rules::BUNDLE, NO_FIRST, place, json.at);
            }
            self.interlinked(bundle, place);
        }
    }

    fn entry(&mut self, bundle: Bundle<'a>, entry: &'a Json<'a>, place: &Place<'_>) {
        match entry.get("fullUrl") {
            Some(url) => self.full_url(entry, url, place),
            None => self.no_full_url(bundle, entry, place),
        }
        match bundle.kind {
            "searchset" => self.search_result(entry, place),
            "transaction" | "batch" => self.request(entry, place),
            _ => {}
        }
    }

    fn no_full_url(&mut self, bundle: Bundle<'a>, entry: &'a Json<'a>, place: &Place<'_>) {
        let optional =
            ["transaction", "transaction-response", "batch", "batch-response"].contains(&bundle.kind);
        // What a search says of itself is no resource that has a URL.
        if !optional && !is_outcome(entry) {
            self.issues.add(rules::BUNDLE_FULL_URL, NO_FULL_URL, place, entry.at);
        }
    }

    fn full_url(&mut self, entry: &'a Json<'a>, url: &'a Json<'a>, place: &Place<'_>) {
        let inner = place.inner("fullUrl", None);
        let Some(text) = url.as_str() else { return };
        if !is_absolute(text) {
            return self.issues.add(rules::BUNDLE_FULL_URL, RELATIVE, &inner, url.at);
        }
        let Some(parts) = rest_parts(self.schema(), text) else { return };
        let Some(resource) = entry.get("resource") else { return };
        let created = entry.get("request").and_then(|request| request.text("method")) == Some("POST");
        let problem = match (resource.text("resourceType"), resource.text("id")) {
            (Some(name), _) if name != parts.type_name => DISAGREES,
            (_, Some(id)) if id != parts.id => DISAGREES,
            (_, None) if !created => NO_ID,
            _ => return,
        };
        self.issues.add(rules::BUNDLE_FULL_URL, problem, &inner, url.at);
    }

    fn search_result(&mut self, entry: &'a Json<'a>, place: &Place<'_>) {
        let Some(resource) = entry.get("resource") else {
            return self.issues.add(rules::BUNDLE_SEARCH, NO_RESOURCE, place, entry.at);
        };
        let outcome = is_outcome(entry);
        if entry.get("search").and_then(|search| search.text("mode")) == Some("outcome") && !outcome {
            self.issues.add(rules::BUNDLE_SEARCH, NO_OUTCOME, &place.inner("resource", None), resource.at);
        }
        if !outcome && resource.get("id").is_none() {
            self.issues.add(rules::BUNDLE_SEARCH, NO_RESULT_ID, &place.inner("resource", None), resource.at);
        }
    }

    fn links(&mut self, bundle: Bundle<'a>, place: &Place<'_>) {
        let links = bundle.json.get("link").map_or(&[][..], Json::elements);
        let paged = matches!(bundle.kind, "searchset" | "history");
        let mut seen: Vec<&str> = Vec::new();
        for (index, link) in links.iter().enumerate() {
            let name = link.text("relation").unwrap_or_default();
            if name != "self" && !PAGES.contains(&name) {
                continue;
            }
            let inner = place.inner("link", Some(index));
            if !paged && name != "self" {
                self.issues.add(rules::BUNDLE_LINK_UNUSUAL, LINK_PAGES, &inner, link.at);
            }
            if seen.contains(&name) {
                self.issues.add(rules::BUNDLE_LINK, LINK_TWICE, &inner, link.at);
            } else {
                seen.push(name);
            }
        }
    }
}

fn is_outcome(entry: &Json<'_>) -> bool {
    entry.get("resource").and_then(|resource| resource.text("resourceType")) == Some("OperationOutcome")
}
