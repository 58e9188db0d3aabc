//! Entries of transactions and batches (<https://hl7.org/fhir/R4/http.html#transaction>): a request with what it sends.

use crate::issue::Place;
use crate::rules;
use crate::walk::Walk;
use caregrid_json::Json;

const NO_BODY: &str = "a request that creates or changes has a resource";
const BODY: &str = "a request that reads or deletes has no resource";
const OTHER_TYPE: &str = "the request's url names another type than the resource has";
const OTHER_ID: &str = "the request's url names another id than the resource has";

impl<'a> Walk<'a, '_> {
    /// Check that an entry's request and its resource belong together.
    pub(crate) fn request(&mut self, entry: &'a Json<'a>, place: &Place<'_>) {
        let Some(request) = entry.get("request") else { return };
        let resource = entry.get("resource");
        match (request.text("method"), resource) {
            (Some("POST" | "PUT" | "PATCH"), None) if !is_operation(request) => {
                self.issues.add(rules::BUNDLE_REQUEST, NO_BODY, place, entry.at);
            }
            (Some("GET" | "HEAD" | "DELETE"), Some(resource)) => {
                let inner = place.inner("resource", None);
                self.issues.add(rules::BUNDLE_REQUEST_UNUSUAL, BODY, &inner, resource.at);
            }
            (Some(method @ ("POST" | "PUT")), Some(resource)) => {
                self.target(method, request, resource, place)
            }
            _ => {}
        }
    }

    fn target(&mut self, method: &str, request: &'a Json<'a>, resource: &'a Json<'a>, place: &Place<'_>) {
        let Some(url) = request.get("url") else { return };
        let Some(name) = resource.text("resourceType") else { return };
        let Some((named, id)) = url.as_str().and_then(parts) else { return };
        let wrong = if named != name && self.schema().resource(named).is_some() {
            OTHER_TYPE
        } else if method == "PUT" && id.is_some_and(|id| resource.text("id") != Some(id)) {
            OTHER_ID
        } else {
            return;
        };
        let inner = place.inner("request", None);
        self.issues.add(rules::BUNDLE_REQUEST, wrong, &inner.inner("url", None), url.at);
    }
}

/// Type and id of a relative url without an operation or a search.
fn parts(url: &str) -> Option<(&str, Option<&str>)> {
    if url.contains([':', '$']) {
        return None;
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let mut segments = path.trim_start_matches('/').split('/');
    let name = segments.next()?;
    Some((name, segments.next().filter(|id| !id.is_empty() && !id.starts_with('_'))))
}

fn is_operation(request: &Json<'_>) -> bool {
    request.text("url").is_some_and(|url| url.contains(['$', '?']) || url.contains("_search"))
}
