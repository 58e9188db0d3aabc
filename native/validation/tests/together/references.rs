//! References (<https://hl7.org/fhir/R4/references.html>).

use crate::{all_find, errors, observation, patient, warnings, Version, ALL};
use serde_json::{json, Value};

fn with_subject(subject: Value) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject})
}

/// Literal references have one of four forms, section 2.1.0.3 of R4.
#[test]
fn forms_of_literals() {
    let good = [
        "Patient/1",
        "Patient/1/_history/2",
        "http://example.org/fhir/Patient/1",
        "https://example.org/fhir/Patient/1/_history/2",
        "https://example.org/anything",
        "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
        "urn:oid:1.2.3",
    ];
    for reference in good {
        all_find(None, &with_subject(json!({"reference": reference})));
    }
    for reference in
        ["Patient", "1", "Patient/", "/Patient/1", "patient/1", "Nothing/1", "Patient/1/2", "a b"]
    {
        let rule = "reference-form Observation.subject.reference";
        all_find(Some(rule), &with_subject(json!({"reference": reference})));
    }
    all_find(None, &with_subject(json!({"display": "somebody"})));
    all_find(None, &with_subject(json!({"identifier": {"value": "7"}})));
}

/// A reference leads to a type that its element allows, as far as its text tells.
#[test]
fn types_of_targets() {
    let rule = Some("reference-target Observation.subject.reference");
    all_find(rule, &with_subject(json!({"reference": "Encounter/1"})));
    all_find(rule, &with_subject(json!({"reference": "http://example.org/fhir/Encounter/1"})));
    all_find(rule, &with_subject(json!({"reference": "Encounter/1/_history/1"})));
    // Any resource may be an item of a list.
    all_find(
        None,
        &json!({"resourceType": "List", "status": "current", "mode": "working",
            "entry": [{"item": {"reference": "Encounter/1"}}]}),
    );
}

/// The type that a reference names is that of its target, and one that its element allows.
#[test]
fn types_named() {
    all_find(None, &with_subject(json!({"reference": "Patient/1", "type": "Patient"})));
    let url = "http://hl7.org/fhir/StructureDefinition/Patient";
    all_find(None, &with_subject(json!({"reference": "Patient/1", "type": url})));
    all_find(None, &with_subject(json!({"identifier": {"value": "1"}, "type": "Patient"})));
    let differs = Some("reference-type Observation.subject.type");
    all_find(differs, &with_subject(json!({"reference": "Patient/1", "type": "Group"})));
    let wrong = Some("reference-target Observation.subject.type");
    all_find(wrong, &with_subject(json!({"identifier": {"value": "1"}, "type": "Encounter"})));
}

/// A contained target's type is known.
#[test]
fn types_of_contained_targets() {
    let mut observation = observation("o", "#p");
    observation["contained"] = json!([patient("p")]);
    all_find(None, &observation);
    observation["contained"] = json!([{"resourceType": "Encounter", "id": "p", "status": "planned",
        "class": {"code": "x", "system": "http://example.org/classes"}}]);
    for version in [Version::R4, Version::R4B] {
        assert_eq!(vec!["reference-target Observation.subject.reference"], errors(version, &observation));
    }
}

/// R5 puts targets on the CodeableReference around the Reference.
#[test]
fn codeable_references() {
    let request = |reference: &str| {
        json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order",
            "medication": {"reference": {"reference": reference}}, "subject": {"reference": "Patient/1"}})
    };
    assert!(errors(Version::R5, &request("Medication/1")).is_empty());
    assert_eq!(
        vec!["reference-target MedicationRequest.medication.reference.reference"],
        errors(Version::R5, &request("Patient/1"))
    );
}

/// Searches in place of references are for transactions (<https://hl7.org/fhir/R4/http.html#trules>).
#[test]
fn conditional_references() {
    let alone = with_subject(json!({"reference": "Patient?identifier=7"}));
    let entry = json!({"resource": alone, "request": {"method": "POST", "url": "Observation"}});
    let transaction = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    let told = "conditional-reference Observation.subject.reference".to_owned();
    for version in ALL {
        assert!(errors(version, &alone).is_empty());
        assert!(warnings(version, &alone).contains(&told));
        assert!(errors(version, &transaction).is_empty());
        assert!(!warnings(version, &transaction).iter().any(|one| one.starts_with("conditional")));
    }
}

/// Canonical URLs are absolute, also those by which something is known.
#[test]
fn canonicals() {
    let response = |canonical: &str| json!({"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": canonical});
    for canonical in
        ["http://example.org/Questionnaire/q|2.1", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"]
    {
        all_find(None, &response(canonical));
    }
    let rule = "reference-form QuestionnaireResponse.questionnaire".to_owned();
    for version in [Version::R4B, Version::R5] {
        assert_eq!(vec![rule.clone()], errors(version, &response("Questionnaire/q")));
    }
    let told = "canonical-relative QuestionnaireResponse.questionnaire".to_owned();
    assert!(warnings(Version::R4, &response("Questionnaire/q")).contains(&told));
    assert!(errors(Version::R4, &response("Questionnaire/q")).is_empty());
    let set = |url: &str| json!({"resourceType": "ValueSet", "status": "draft", "url": url, "name": "A"});
    all_find(None, &set("http://example.org/ValueSet/a"));
    all_find(Some("reference-form ValueSet.url"), &set("ValueSet/a"));
}
