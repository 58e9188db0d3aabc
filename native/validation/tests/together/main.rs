//! Rules on what stands together: Bundles, references, contained resources. One rule broken at a time.

mod bundles;
mod contained;
mod documents;
mod invariants;
mod references;

use caregrid_schema::Schema;
use caregrid_validation::{Options, Report, Validator};
use serde_json::{json, Value};
use std::sync::OnceLock;

/// FHIR's versions, by their definitions.
#[derive(Clone, Copy, Debug)]
enum Version {
    R4,
    R4B,
    R5,
}

const ALL: [Version; 3] = [Version::R4, Version::R4B, Version::R5];

fn validator(version: Version) -> &'static Validator {
    static LOADED: [OnceLock<Validator>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    let name = ["4.0", "4.3", "5.0"][version as usize];
    LOADED[version as usize].get_or_init(|| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/caregrid/fhir/definitions");
        let packed = std::fs::read(format!("{folder}/fhir-{name}.json.gz")).expect("definitions");
        Validator::new(Schema::load(&packed).expect("sound definitions"))
    })
}

fn report(version: Version, resource: &Value) -> Report {
    validator(version).validate(&serde_json::to_vec(resource).expect("JSON"), &Options::default())
}

/// The rules that a resource breaks, each with its place.
fn errors(version: Version, resource: &Value) -> Vec<String> {
    problems(version, resource, true)
}

/// What is worth a look in it, and no error.
fn warnings(version: Version, resource: &Value) -> Vec<String> {
    problems(version, resource, false)
}

fn problems(version: Version, resource: &Value, errors: bool) -> Vec<String> {
    let found = report(version, resource).findings.into_iter().map(|finding| finding.issue);
    let told =
        found.filter(|issue| issue.rule.severity.is_error() == errors && issue.rule.name != "best-practice");
    told.map(|issue| format!("{} {}", issue.rule.name, issue.path)).collect()
}

/// Every version finds exactly this error, or none.
fn all_find(expected: Option<&str>, resource: &Value) {
    for version in ALL {
        let expected: Vec<String> = expected.iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(expected, errors(version, resource), "{version:?} {resource}");
    }
}

fn patient(id: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "active": true})
}

fn observation(id: &str, subject: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final", "code": {"text": "pulse"},
        "subject": {"reference": subject}
    })
}
