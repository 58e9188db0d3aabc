//! Documents and messages (<https://hl7.org/fhir/R4/documents.html>, <https://hl7.org/fhir/R4/messaging.html>).

use crate::{errors, observation, patient, warnings, Version, ALL};
use serde_json::{json, Value};

const BASE: &str = "http://example.org/fhir/";

fn entry(resource: Value) -> Value {
    let url =
        format!("{BASE}{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    json!({"fullUrl": url, "resource": resource})
}

fn composition(version: Version) -> Value {
    let mut composition = json!({
        "resourceType": "Composition", "id": "c", "status": "final", "type": {"text": "a letter"},
        "date": "2024-01-01", "title": "A letter",
        "author": [{"reference": "Practitioner/d"}],
        "section": [{"title": "Findings", "entry": [{"reference": "Observation/o"}]}]
    });
    let subject = json!({"reference": "Patient/1"});
    composition["subject"] = if matches!(version, Version::R5) { json!([subject]) } else { subject };
    composition
}

fn document(version: Version, entries: &[Value]) -> Value {
    let mut all = vec![entry(composition(version))];
    all.extend(entries.iter().cloned().map(entry));
    json!({"resourceType": "Bundle", "type": "document", "timestamp": "2024-01-01T00:00:00Z", "entry": all,
        "identifier": {"system": "http://example.org/documents", "value": "1"}})
}

fn practitioner() -> Value {
    json!({"resourceType": "Practitioner", "id": "d", "active": true})
}

/// What the Composition refers to is there, and what is there belongs to it.
#[test]
fn documents() {
    for version in ALL {
        let whole = [patient("1"), practitioner(), observation("o", "Patient/1")];
        assert_eq!(Vec::<String>::new(), errors(version, &document(version, &whole)), "{version:?}");
        let without = errors(version, &document(version, &whole[..2]));
        let place = "bundle-missing Bundle.entry[0].resource.section[0].entry[0].reference";
        assert_eq!(vec![place], without);
        let nobody = errors(version, &document(version, &whole[1..]));
        assert!(nobody[0].starts_with("bundle-missing Bundle.entry[0].resource.subject"), "{nobody:?}");
    }
}

/// Entries that no reference joins to the Composition do not belong there; those that refer to it only, perhaps.
#[test]
fn entries_apart() {
    for version in ALL {
        let whole = [patient("1"), practitioner(), observation("o", "Patient/1")];
        let mut more = whole.to_vec();
        more.push(patient("2"));
        assert_eq!(vec!["bundle-orphan Bundle.entry[4]"], errors(version, &document(version, &more)));
        more[3] = observation("p", "Patient/1");
        let document = document(version, &more);
        assert_eq!(Vec::<String>::new(), errors(version, &document));
        assert!(warnings(version, &document).contains(&"bundle-backwards Bundle.entry[4]".to_owned()));
    }
}

/// A style sheet is named by a link of the Bundle.
#[test]
fn style_sheets() {
    let binary = json!({"resourceType": "Binary", "id": "s", "contentType": "text/css", "data": "YQ=="});
    for version in [Version::R4, Version::R4B] {
        let whole = [patient("1"), practitioner(), observation("o", "Patient/1"), binary.clone()];
        let mut document = document(version, &whole);
        assert_eq!(vec!["bundle-orphan Bundle.entry[4]"], errors(version, &document));
        document["link"] = json!([{"relation": "stylesheet", "url": format!("{BASE}Binary/s")}]);
        assert_eq!(Vec::<String>::new(), errors(version, &document));
    }
}

/// A document begins with something.
#[test]
fn empty_documents() {
    for kind in ["document", "message"] {
        let empty = json!({"resourceType": "Bundle", "type": kind, "timestamp": "2024-01-01T00:00:00Z",
            "identifier": {"system": "http://example.org/documents", "value": "1"}});
        assert!(errors(Version::R4, &empty).contains(&"bundle Bundle".to_owned()));
    }
}

/// A message holds what it is about.
#[test]
fn messages() {
    let header = json!({"resourceType": "MessageHeader", "id": "h", "eventUri": "http://example.org/event",
        "source": {"endpoint": "http://example.org/source"}, "focus": [{"reference": "Patient/1"}]});
    let message = |resources: &[Value]| {
        let entries: Vec<Value> = resources.iter().cloned().map(entry).collect();
        json!({"resourceType": "Bundle", "type": "message", "entry": entries})
    };
    for version in [Version::R4, Version::R4B] {
        let whole = message(&[header.clone(), patient("1"), patient("2")]);
        assert_eq!(Vec::<String>::new(), errors(version, &whole));
        assert!(warnings(version, &whole).contains(&"bundle-backwards Bundle.entry[2]".to_owned()));
        let place = "bundle-missing Bundle.entry[0].resource.focus[0].reference";
        assert_eq!(vec![place], errors(version, &message(&[header.clone(), patient("2")])));
    }
}
