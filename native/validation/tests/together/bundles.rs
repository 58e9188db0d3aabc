//! Bundles (<https://hl7.org/fhir/R4/bundle.html>).

use crate::{all_find, errors, observation, patient, validator, warnings, Version, ALL};
use caregrid_validation::Options;
use serde_json::{json, Value};
use std::time::Instant;

const BASE: &str = "http://example.org/fhir/";
const UUID: &str = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520";

fn entry(resource: Value) -> Value {
    let name = resource["resourceType"].as_str().unwrap();
    let id = resource["id"].as_str().unwrap();
    json!({"fullUrl": format!("{BASE}{name}/{id}"), "resource": resource})
}

fn bundle(kind: &str, entries: &[Value]) -> Value {
    let mut bundle = json!({"resourceType": "Bundle", "type": kind, "entry": entries});
    if kind == "searchset" {
        bundle["link"] = json!([{"relation": "self", "url": "http://example.org/fhir/Patient?active=true"}]);
    }
    bundle
}

/// An entry's fullUrl, section "entry.fullUrl": absolute, and of the resource.
#[test]
fn full_urls() {
    all_find(None, &bundle("collection", &[entry(patient("1"))]));
    all_find(None, &bundle("collection", &[json!({"fullUrl": UUID, "resource": patient("1")})]));
    all_find(
        None,
        &bundle("collection", &[json!({"fullUrl": "http://example.org/x", "resource": patient("1")})]),
    );
    let rule = Some("bundle-fullurl Bundle.entry[0].fullUrl");
    for url in ["Patient/1", "http://example.org/fhir/Patient/2", "http://example.org/fhir/Person/1"] {
        all_find(rule, &bundle("collection", &[json!({"fullUrl": url, "resource": patient("1")})]));
    }
    let no_id = json!({"fullUrl": "http://example.org/fhir/Patient/1", "resource":
        {"resourceType": "Patient", "active": true}});
    all_find(rule, &bundle("collection", &[no_id]));
}

/// Only transactions and batches do without.
#[test]
fn missing_full_urls() {
    let plain = json!({"resource": patient("1")});
    for version in ALL {
        let found = errors(version, &bundle("collection", std::slice::from_ref(&plain)));
        assert!(found.contains(&"bundle-fullurl Bundle.entry[0]".to_owned()), "{version:?} {found:?}");
    }
    let posted = json!({"resource": patient("1"), "request": {"method": "POST", "url": "Patient"}});
    all_find(None, &bundle("transaction", std::slice::from_ref(&posted)));
    all_find(None, &bundle("batch", &[posted]));
    let answer = json!({"response": {"status": "201"}});
    all_find(None, &bundle("transaction-response", &[answer]));
}

/// What a search finds has ids; what it says of itself is an OperationOutcome.
#[test]
fn search_results() {
    let found = |resource: Value, mode: &str| json!({"fullUrl": UUID, "resource": resource, "search": {"mode": mode}});
    let outcome = json!({"resourceType": "OperationOutcome", "id": "x",
        "issue": [{"severity": "warning", "code": "informational"}]});
    let no_id = json!({"resourceType": "Patient", "active": true});
    all_find(None, &bundle("searchset", &[found(patient("1"), "match"), entry(outcome.clone())]));
    let rule = Some("bundle-search Bundle.entry[0].resource");
    all_find(rule, &bundle("searchset", &[found(no_id, "match")]));
    all_find(rule, &bundle("searchset", &[found(patient("1"), "outcome")]));
}

/// Relations of links that mean one page.
#[test]
fn links() {
    let with = |kind: &str, relations: &[&str]| {
        let mut bundle = bundle(kind, &[entry(patient("1"))]);
        let links = relations.iter().map(|one| json!({"relation": one, "url": "http://example.org/x"}));
        bundle["link"] = links.collect();
        bundle
    };
    all_find(None, &with("searchset", &["self", "next", "last"]));
    all_find(Some("bundle-link Bundle.link[2]"), &with("searchset", &["self", "next", "next"]));
    let told = "bundle-link-unusual Bundle.link[0]".to_owned();
    assert!(warnings(Version::R4, &with("collection", &["next"])).contains(&told));
}

/// A request and its resource (<https://hl7.org/fhir/R4/http.html#transaction>); R5 says the first by bdl-3c.
#[test]
fn requests() {
    let send = |method: &str, url: &str, resource: Option<Value>| {
        let mut entry = json!({"request": {"method": method, "url": url}});
        if let Some(resource) = resource {
            entry["resource"] = resource;
        }
        bundle("transaction", &[entry])
    };
    all_find(None, &send("PUT", "Patient/1", Some(patient("1"))));
    all_find(None, &send("PUT", "Patient?identifier=7", Some(patient("1"))));
    all_find(None, &send("POST", "Patient", Some(patient("1"))));
    all_find(None, &send("GET", "Patient/1", None));
    all_find(None, &send("DELETE", "Patient/1", None));
    let rule = Some("bundle-request Bundle.entry[0].request.url");
    all_find(rule, &send("PUT", "Patient/2", Some(patient("1"))));
    all_find(rule, &send("POST", "Observation", Some(patient("1"))));
    for version in [Version::R4, Version::R4B] {
        assert_eq!(vec!["bundle-request Bundle.entry[0]"], errors(version, &send("PUT", "Patient/1", None)));
    }
    assert!(!errors(Version::R5, &send("PUT", "Patient/1", None)).is_empty());
}

/// References inside a Bundle, section 2.36.4.1 of R4: by fullUrl, relative ones from the entry's own server.
#[test]
fn references_between_entries() {
    let person = json!({"resourceType": "Person", "id": "1", "active": true});
    let at = |url: &str, resource: Value| json!({"fullUrl": url, "resource": resource});
    // The URN leads to a Person, which is no subject.
    let rule = Some("reference-target Bundle.entry[1].resource.subject.reference");
    all_find(rule, &bundle("collection", &[at(UUID, person), entry(observation("o", UUID))]));
    all_find(None, &bundle("collection", &[at(UUID, patient("1")), entry(observation("o", UUID))]));
    // Two versions of what is referred to without a version.
    let version = |number: &str| {
        let mut patient = patient("1");
        patient["meta"] = json!({"versionId": number});
        entry(patient)
    };
    let twice =
        |subject: &str| bundle("collection", &[version("1"), version("2"), entry(observation("o", subject))]);
    all_find(Some("reference-ambiguous Bundle.entry[2].resource.subject.reference"), &twice("Patient/1"));
    all_find(None, &twice("Patient/1/_history/2"));
    all_find(None, &twice("http://elsewhere.org/fhir/Patient/1"));
}

/// A contained resource is looked for in its own entry only.
#[test]
fn contained_resources_of_other_entries() {
    let mut first = observation("a", "#p");
    first["contained"] = json!([patient("p")]);
    all_find(None, &bundle("collection", &[entry(first.clone())]));
    for version in ALL {
        let found =
            errors(version, &bundle("collection", &[entry(first.clone()), entry(observation("b", "#p"))]));
        assert!(
            found.iter().any(|one| one.starts_with("invariant Bundle.entry[1].resource.subject")),
            "{found:?}"
        );
    }
}

/// A Bundle inside a Bundle has its entries among themselves, then those around it.
#[test]
fn bundles_inside_bundles() {
    let person = json!({"resourceType": "Person", "id": "1", "active": true});
    let mut inner = bundle("collection", &[entry(observation("o", UUID))]);
    inner["id"] = json!("inner");
    let outer = bundle("collection", &[json!({"fullUrl": UUID, "resource": person}), entry(inner)]);
    let rule = "reference-target Bundle.entry[1].resource.entry[0].resource.subject.reference";
    all_find(Some(rule), &outer);
}

/// Twice as many entries take about twice the time, also where all refer to one another.
#[test]
fn time_is_linear() {
    let seconds = |count: usize| {
        let entries: Vec<Value> = (0..count)
            .flat_map(|number| {
                let id = number.to_string();
                [entry(patient(&id)), entry(observation(&id, &format!("Patient/{id}")))]
            })
            .collect();
        let source = serde_json::to_vec(&bundle("collection", &entries)).unwrap();
        let begun = Instant::now();
        assert!(validator(Version::R4).validate(&source, &Options::default()).valid);
        begun.elapsed().as_secs_f64()
    };
    seconds(50);
    let (few, many) = (seconds(500), seconds(4_000));
    assert!(many < few * 8.0 * 4.0, "{few} s for 1,000 entries, {many} s for 8,000");
}
