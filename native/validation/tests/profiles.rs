//! Profiles: HL7's own, and one rule of a supplied profile broken at a time.

use caregrid_schema::Schema;
use caregrid_validation::{Options, Report, Validator};
use serde_json::{json, Value};
use std::path::Path;
use std::sync::OnceLock;

const P: &str = "http://clinic.example/StructureDefinition/";
const VERSIONS: [&str; 3] = ["4.0", "4.3", "5.0"];

fn load(version: &str) -> Validator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/caregrid/fhir/definitions");
    let packed =
        std::fs::read(folder.join(format!("fhir-{version}.json.gz"))).expect("committed definitions");
    let mut validator = Validator::new(Schema::load(&packed).expect("definitions that load"));
    let fhir = validator.schema().version.clone();
    validator.extend(&supplied(&fhir).to_string()).expect("a fragment in the form");
    validator
}

fn validator(version: &str) -> &'static Validator {
    static LOADED: [OnceLock<Validator>; 3] = [const { OnceLock::new() }; 3];
    let place = VERSIONS.iter().position(|one| *one == version).expect("a version");
    LOADED[place].get_or_init(|| load(version))
}

fn validate(version: &str, resource: &Value) -> Report {
    validator(version).validate(resource.to_string().as_bytes(), &Options::default())
}

/// Errors of profiles as path and text.
fn errors(report: &Report) -> Vec<String> {
    let errors = report.findings.iter().filter(|one| one.issue.rule.severity.is_error());
    errors.map(|one| format!("{} {} {}", one.issue.rule.name, one.issue.path, one.issue.text)).collect()
}

/// The profile is not kept there, and nothing is wrong elsewhere.
fn broken(resource: &Value, path: &str) {
    let place = path.rsplit_once('.').map_or(path, |(outer, _)| outer);
    for version in VERSIONS {
        let found = errors(&validate(version, resource));
        let wanted = format!("profile {path} ");
        assert!(found.iter().any(|one| one.starts_with(&wanted)), "{version}: {found:?}");
        assert!(found.iter().all(|one| one.contains(place)), "{version}: {found:?}");
    }
}

fn sound(resource: &Value) {
    for version in VERSIONS {
        assert_eq!(errors(&validate(version, resource)), Vec::<String>::new(), "{version}");
    }
}

fn with(resource: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = resource.clone();
    let (outer, name) = pointer.rsplit_once('/').expect("a pointer");
    let outer = changed.pointer_mut(outer).expect("something there");
    match (outer, value) {
        (Value::Object(members), Value::Null) => drop(members.remove(name)),
        (Value::Object(members), value) => drop(members.insert(name.to_owned(), value)),
        (Value::Array(elements), Value::Null) => drop(elements.remove(name.parse().expect("a number"))),
        (Value::Array(elements), value) => elements.insert(name.parse().expect("a number"), value),
        _ => panic!("no such place"),
    }
    changed
}

fn supplied(fhir: &str) -> Value {
    let structure = |name: &str, kind: &str, of: &str, elements: Value| {
        json!({"url": format!("{P}{name}"), "name": name, "type": of, "kind": kind, "constraint": true,
            "base": format!("http://hl7.org/fhir/StructureDefinition/{of}"), "elements": elements})
    };
    json!({
        "form": 1, "version": fhir,
        "invariants": [{"key": "clinic-1", "human": "A patient has a name or a telecom.",
            "expression": "name.exists() or telecom.exists()"}],
        "structures": [
            structure("patient", "resource", "Patient", patient_elements()),
            structure("observation", "resource", "Observation", observation_elements()),
            structure("practitioner", "resource", "Practitioner", json!([
                {"path": "Practitioner"}, {"path": "Practitioner.active", "min": 1, "max": 1, "fixed": true},
            ])),
            structure("list", "resource", "List", list_elements()),
            structure("official-name", "complex-type", "HumanName", json!([
                {"path": "HumanName"}, {"path": "HumanName.family", "min": 1, "max": 1, "maxLength": 10},
            ])),
        ],
    })
}

fn patient_elements() -> Value {
    json!([
        {"path": "Patient", "invariants": [0]},
        {"path": "Patient.identifier", "min": 1,
            "slicing": {"rules": "open", "discriminator": [{"type": "value", "path": "system"}]}},
        {"path": "Patient.identifier", "id": "Patient.identifier:mrn", "slice": "mrn", "min": 1, "max": 1},
        {"path": "Patient.identifier.system", "id": "Patient.identifier:mrn.system", "min": 1, "max": 1,
            "fixed": "http://clinic.example/mrn"},
        {"path": "Patient.identifier.value", "id": "Patient.identifier:mrn.value", "min": 1, "max": 1},
        {"path": "Patient.name", "types": [{"code": "HumanName", "profiles": [format!("{P}official-name")]}]},
        {"path": "Patient.telecom", "slicing": {"rules": "closed", "ordered": true,
            "discriminator": [{"type": "value", "path": "system"}]}},
        {"path": "Patient.telecom", "id": "Patient.telecom:phone", "slice": "phone"},
        {"path": "Patient.telecom.system", "id": "Patient.telecom:phone.system", "min": 1, "max": 1, "fixed": "phone"},
        {"path": "Patient.telecom", "id": "Patient.telecom:email", "slice": "email", "max": 1},
        {"path": "Patient.telecom.system", "id": "Patient.telecom:email.system", "min": 1, "max": 1, "fixed": "email"},
        {"path": "Patient.birthDate", "max": 1, "minValue": "1900-01-01"},
        {"path": "Patient.deceased[x]", "max": 1, "types": [{"code": "boolean"}]},
        {"path": "Patient.maritalStatus", "max": 1,
            "pattern": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"}]}},
        {"path": "Patient.photo", "max": 0},
        {"path": "Patient.generalPractitioner", "types": [
            {"code": "Reference", "targets": ["http://hl7.org/fhir/StructureDefinition/Practitioner"]}]},
        {"path": "Patient.link", "slicing": {"rules": "openAtEnd",
            "discriminator": [{"type": "exists", "path": "other.display"}]}},
        {"path": "Patient.link", "id": "Patient.link:named", "slice": "named"},
        {"path": "Patient.link.other", "id": "Patient.link:named.other", "min": 1, "max": 1},
        {"path": "Patient.link.other.display", "id": "Patient.link:named.other.display", "min": 1, "max": 1},
    ])
}

fn observation_elements() -> Value {
    json!([
        {"path": "Observation"},
        {"path": "Observation.performer", "slicing": {"rules": "closed",
            "discriminator": [{"type": "type", "path": "resolve()"}]}},
        {"path": "Observation.performer", "id": "Observation.performer:person", "slice": "person", "min": 1,
            "types": [{"code": "Reference", "targets": [format!("{P}practitioner")]}]},
        {"path": "Observation.value[x]", "max": 1,
            "slicing": {"rules": "closed", "discriminator": [{"type": "type", "path": "$this"}]}},
        {"path": "Observation.value[x]", "id": "Observation.value[x]:valueQuantity", "slice": "valueQuantity",
            "max": 1, "types": [{"code": "Quantity"}]},
        {"path": "Observation.value[x].unit", "id": "Observation.value[x]:valueQuantity.unit", "min": 1, "max": 1},
    ])
}

fn list_elements() -> Value {
    json!([
        {"path": "List"},
        {"path": "List.entry", "slicing": {"rules": "open",
            "discriminator": [{"type": "profile", "path": "item.resolve()"}]}},
        {"path": "List.entry", "id": "List.entry:active", "slice": "active", "min": 1, "max": 1},
        {"path": "List.entry.item", "id": "List.entry:active.item", "min": 1, "max": 1,
            "types": [{"code": "Reference", "targets": [format!("{P}practitioner")]}]},
    ])
}

fn patient() -> Value {
    json!({
        "resourceType": "Patient",
        "meta": {"profile": [format!("{P}patient|1.0")]},
        "identifier": [
            {"system": "http://clinic.example/other"},
            {"system": "http://clinic.example/mrn", "value": "7"},
        ],
        "name": [{"family": "Doe"}],
        "telecom": [{"system": "phone", "value": "1"}, {"system": "phone", "value": "2"}, {"system": "email", "value": "3"}],
        "birthDate": "1980-02-03",
        "deceasedBoolean": false,
        "maritalStatus": {"text": "x", "coding": [
            {"system": "http://clinic.example/own", "code": "x"},
            {"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"},
        ]},
        "generalPractitioner": [{"reference": "Practitioner/1"}, {"display": "somebody"}],
        "link": [
            {"other": {"reference": "Patient/2", "display": "x"}, "type": "seealso"},
            {"other": {"reference": "Patient/3"}, "type": "seealso"},
        ],
    })
}

#[test]
fn what_follows_the_profile_is_valid() {
    sound(&patient());
}

#[test]
fn each_rule_of_a_profile_is_kept() {
    let link = json!({"other": {"reference": "Patient/2", "display": "x"}, "type": "seealso"});
    let cases = [
        ("/identifier/1", Value::Null, "Patient.identifier"),
        ("/identifier/1/value", Value::Null, "Patient.identifier[1].value"),
        ("/identifier/0", json!({"system": "http://clinic.example/mrn", "value": "8"}), "Patient.identifier"),
        ("/name/0/family", json!("of more than ten letters"), "Patient.name[0].family"),
        ("/name/0", json!({"text": "no family"}), "Patient.name[0].family"),
        ("/telecom/0", json!({"system": "email", "value": "3"}), "Patient.telecom"),
        ("/telecom/3", json!({"system": "fax", "value": "3"}), "Patient.telecom[3]"),
        ("/birthDate", json!("1899-12-31"), "Patient.birthDate"),
        ("/maritalStatus/coding/1", Value::Null, "Patient.maritalStatus"),
        ("/photo", json!([{"title": "x"}]), "Patient.photo"),
        ("/generalPractitioner/0/reference", json!("Organization/1"), "Patient.generalPractitioner[0]"),
        ("/link/2", link, "Patient.link[1]"),
    ];
    for (pointer, value, path) in cases {
        let resource = with(&patient(), pointer, value);
        let found = errors(&validate("4.0", &resource));
        let wanted = format!("profile {path}");
        assert!(found.iter().any(|one| one.starts_with(&wanted)), "{pointer}: {found:?}");
        assert!(found.iter().all(|one| one.starts_with("profile ")), "{pointer}: {found:?}");
    }
}

#[test]
fn slices_of_a_name_stand_in_their_order() {
    let telecom = json!([{"system": "email", "value": "3"}, {"system": "phone", "value": "1"}]);
    broken(&with(&patient(), "/telecom", telecom), "Patient.telecom[1]");
}

#[test]
fn a_type_that_the_profile_leaves_out_is_refused() {
    let resource = with(&patient(), "/deceasedBoolean", Value::Null);
    broken(&with(&resource, "/deceasedDateTime", json!("2020")), "Patient.deceasedDateTime");
}

#[test]
fn invariants_of_a_profile_hold() {
    let mut resource = patient();
    resource = with(&resource, "/name", Value::Null);
    resource = with(&resource, "/telecom", Value::Null);
    for version in VERSIONS {
        let found = errors(&validate(version, &resource));
        assert_eq!(found, ["invariant Patient A patient has a name or a telecom."], "{version}");
    }
}

#[test]
fn a_profile_of_another_type_is_no_profile_of_this() {
    broken(
        &json!({"resourceType": "Basic", "meta": {"profile": [format!("{P}patient")]}, "code": {"text": "x"}}),
        "Basic.meta.profile[0]",
    );
}

#[test]
fn unknown_profiles_are_said_to_be_unchecked() {
    let url = "http://elsewhere.example/StructureDefinition/secret";
    let report =
        validate("4.0", &json!({"resourceType": "Patient", "meta": {"profile": [url]}, "active": true}));
    let names: Vec<&str> = report.findings.iter().map(|one| one.issue.rule.name).collect();
    assert!(report.valid && names.contains(&"unknown-profile"));
    assert!(report.findings.iter().all(|one| !format!("{:?}", one.issue).contains("secret")));
}

#[test]
fn a_profile_that_is_asked_for_is_checked_without_a_claim() {
    let content = json!({"resourceType": "Patient", "active": true}).to_string();
    let asked = |url: String| Options { profiles: vec![url], ..Options::default() };
    let report = validator("4.0").validate(content.as_bytes(), &asked(format!("{P}patient")));
    assert_eq!(errors(&report).len(), 2, "{:?}", errors(&report));
    let report = validator("4.0").validate(content.as_bytes(), &asked(format!("{P}nobody-has-it")));
    assert!(!report.valid);
}

#[test]
fn slices_go_by_what_references_refer_to() {
    let resource = json!({
        "resourceType": "Observation", "meta": {"profile": [format!("{P}observation")]},
        "contained": [{"resourceType": "Practitioner", "id": "p", "active": true}],
        "status": "final", "code": {"text": "x"},
        "performer": [{"reference": "#p"}], "valueQuantity": {"value": 1, "unit": "g"},
    });
    sound(&resource);
    broken(
        &with(&resource, "/performer/1", json!({"reference": "Organization/1"})),
        "Observation.performer[1]",
    );
    broken(&with(&resource, "/valueQuantity/unit", Value::Null), "Observation.valueQuantity.unit");
    let other = with(&resource, "/valueQuantity", Value::Null);
    broken(&with(&other, "/valueBoolean", json!(true)), "Observation.valueBoolean");
}

#[test]
fn slices_go_by_profiles() {
    let resource = json!({
        "resourceType": "List", "meta": {"profile": [format!("{P}list")]},
        "contained": [
            {"resourceType": "Practitioner", "id": "p", "active": true},
            {"resourceType": "Practitioner", "id": "q", "active": false},
        ],
        "status": "current", "mode": "working",
        "entry": [{"item": {"reference": "#q"}}, {"item": {"reference": "#p"}}],
    });
    sound(&resource);
    let inactive = with(&resource, "/contained/0/active", json!(false));
    broken(&inactive, "List.entry");
}

#[test]
fn quantities_that_are_simple_have_no_comparator() {
    let resource = json!({
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "referenceRange": [{"low": {"value": 1, "unit": "g"}}],
    });
    sound(&resource);
    let low = "/referenceRange/0/low/comparator";
    broken(&with(&resource, low, json!("<")), "Observation.referenceRange[0].low.comparator");
}

fn blood_pressure() -> Value {
    let component = |code: &str| {
        json!({
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {"value": 107, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
        })
    };
    json!({
        "resourceType": "Observation", "status": "final",
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs",
        }]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"reference": "Patient/1"}, "effectiveDateTime": "2012-09-17",
        "component": [component("8480-6"), component("8462-4")],
    })
}

/// <https://hl7.org/fhir/R4/observation-vitalsigns.html>: an Observation with one of these codes follows its profile.
#[test]
fn vital_signs_follow_their_profile_unasked() {
    sound(&blood_pressure());
    broken(&with(&blood_pressure(), "/effectiveDateTime", Value::Null), "Observation.effective");
    broken(&with(&blood_pressure(), "/category", Value::Null), "Observation.category");
    broken(
        &with(&blood_pressure(), "/component/0/valueQuantity/code", json!("kPa")),
        "Observation.component[0].valueQuantity.code",
    );
    let other = with(&blood_pressure(), "/code/coding/0/code", json!("1234-5"));
    sound(&with(&other, "/effectiveDateTime", Value::Null));
}
