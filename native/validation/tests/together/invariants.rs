//! What the invariants of Bundle say (<https://hl7.org/fhir/R4/bundle-definitions.html>), by their keys.

use crate::{patient, report, Version, ALL};
use serde_json::{json, Value};

fn keys(version: Version, bundle: &Value) -> Vec<String> {
    let found = report(version, bundle).findings.into_iter().map(|finding| finding.issue);
    found.filter(|issue| issue.rule.severity.is_error()).filter_map(|issue| issue.key).collect()
}

fn bundle(kind: &str) -> Value {
    json!({"resourceType": "Bundle", "type": kind,
        "link": [{"relation": "self", "url": "http://example.org/fhir/Patient?active=true"}],
        "entry": [{"fullUrl": "http://example.org/fhir/Patient/1", "resource": patient("1")}]})
}

fn with(kind: &str, pointer: &str, name: &str, value: Value) -> Value {
    let mut bundle = bundle(kind);
    bundle.pointer_mut(pointer).expect("a place")[name] = value;
    bundle
}

/// One invariant broken at a time.
#[test]
fn invariants_of_bundles() {
    let request = json!({"method": "PUT", "url": "Patient/1"});
    let cases = [
        ("bdl-1", with("collection", "", "total", json!(1))),
        ("bdl-2", with("collection", "/entry/0", "search", json!({"mode": "match"}))),
        ("bdl-3", with("collection", "/entry/0", "request", request.clone())),
        ("bdl-3", bundle("transaction")),
        ("bdl-4", bundle("batch-response")),
        ("bdl-5", with("collection", "", "entry", json!([{"fullUrl": "http://example.org/x"}]))),
        (
            "bdl-8",
            with("collection", "/entry/0", "fullUrl", json!("http://example.org/fhir/Patient/1/_history/2")),
        ),
        ("bdl-9", bundle("document")),
        ("bdl-10", bundle("document")),
        ("bdl-11", bundle("document")),
        ("bdl-12", bundle("message")),
    ];
    for version in ALL {
        for kind in ["collection", "searchset"] {
            assert_eq!(Vec::<String>::new(), keys(version, &bundle(kind)), "{version:?} {kind}");
        }
        for (key, broken) in &cases {
            // R5 tells bdl-3 and bdl-4 apart by the Bundle's type.
            let found = keys(version, broken);
            assert!(
                found.iter().any(|one| one.starts_with(key) || key == &"bdl-4" && one == "bdl-3d"),
                "{version:?} {key} {found:?}"
            );
        }
    }
}

/// One resource does not stand twice in a Bundle, but for its versions.
#[test]
fn full_urls_are_unique() {
    let entry = |version: &str| {
        let mut patient = patient("1");
        patient["meta"] = json!({"versionId": version});
        json!({"fullUrl": "http://example.org/fhir/Patient/1", "resource": patient})
    };
    for version in ALL {
        let twice = with("collection", "", "entry", json!([entry("1"), entry("1")]));
        assert_eq!(vec!["bdl-7"], keys(version, &twice));
        let versions = with("collection", "", "entry", json!([entry("1"), entry("2")]));
        assert_eq!(Vec::<String>::new(), keys(version, &versions));
    }
}
