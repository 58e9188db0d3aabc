//! Contained resources and ids (<https://hl7.org/fhir/R4/references.html#contained>, <https://hl7.org/fhir/R4/element.html#id>).

use crate::{all_find, errors, observation, patient, warnings, ALL};
use serde_json::json;

/// A contained resource has an id of its own.
#[test]
fn ids_of_contained_resources() {
    let mut resource = observation("o", "#p");
    resource["performer"] = json!([{"reference": "#q"}]);
    resource["contained"] = json!([patient("p"), {"resourceType": "Organization", "id": "q", "name": "x"}]);
    all_find(None, &resource);
    resource["contained"][1]["id"] = json!("p");
    resource["performer"] = json!([{"reference": "Organization/1"}]);
    all_find(Some("contained-id Observation.contained[1].id"), &resource);
}

/// Without an id nothing can refer to it.
#[test]
fn contained_resources_need_ids() {
    let mut resource = observation("o", "Patient/1");
    resource["contained"] = json!([{"resourceType": "Patient", "active": true}]);
    for version in ALL {
        let found = errors(version, &resource);
        assert!(found.contains(&"contained-id Observation.contained[0]".to_owned()), "{found:?}");
    }
}

/// Ids of elements are unique in a resource; contained resources have ids of their own.
#[test]
fn ids_of_elements() {
    let mut resource = patient("p");
    resource["name"] = json!([{"id": "a", "text": "x"}, {"id": "b", "text": "y"}]);
    resource["birthDate"] = json!("2000-01-01");
    resource["_birthDate"] = json!({"id": "c"});
    resource["contained"] = json!([{"resourceType": "Organization", "id": "a", "name": "x", "identifier": [{"id": "b", "value": "1"}]}]);
    resource["managingOrganization"] = json!({"reference": "#a"});
    all_find(None, &resource);
    resource["_birthDate"]["id"] = json!("b");
    all_find(Some("duplicate-id Patient"), &resource);
}

/// What dom-2 to dom-5 say: none inside another, referred to, without versions and labels.
#[test]
fn limits_of_contained_resources() {
    let with = |contained: serde_json::Value, reference: &str| {
        let mut resource = observation("o", reference);
        resource["contained"] = json!([contained]);
        resource
    };
    let mut nested = patient("p");
    nested["contained"] = json!([{"resourceType": "Organization", "id": "q", "name": "x"}]);
    nested["managingOrganization"] = json!({"reference": "#q"});
    let mut versioned = patient("p");
    versioned["meta"] = json!({"versionId": "1"});
    let mut labelled = patient("p");
    labelled["meta"] = json!({"security": [{"system": "http://example.org/labels", "code": "x"}]});
    for version in ALL {
        assert!(errors(version, &with(patient("p"), "#p")).is_empty());
        for broken in [
            with(nested.clone(), "#p"),
            with(versioned.clone(), "#p"),
            with(labelled.clone(), "#p"),
            with(patient("p"), "Patient/1"),
        ] {
            let found = errors(version, &broken);
            assert!(found.iter().any(|one| one == "invariant Observation"), "{version:?} {broken} {found:?}");
        }
    }
}

/// Links of a narrative lead to an id of an element, of a contained resource, or inside a narrative.
#[test]
fn links_of_narratives() {
    let div = |content: &str| json!({"status": "additional", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">x{content}</div>")});
    let mut resource = patient("p");
    resource["name"] = json!([{"id": "a", "text": "x"}]);
    resource["contained"] = json!([{"resourceType": "Organization", "id": "o", "name": "x"}]);
    resource["managingOrganization"] = json!({"reference": "#o"});
    for sound in [
        "<a href=\"#a\">x</a>",
        "<img src=\"#o\" alt=\"x\"/>",
        "<a name=\"n\">x</a><a href=\"#n\">x</a>",
        "<p id=\"i\">x</p><a href=\"#i\">x</a>",
        "<a href=\"#\">x</a>",
        "<a href=\"http://a.org/x#y\">x</a>",
    ] {
        resource["text"] = div(sound);
        assert_eq!(Vec::<String>::new(), warnings(crate::Version::R4, &resource), "{sound}");
    }
    for lost in ["<a href=\"#b\">x</a>", "<img src=\"#b\" alt=\"x\"/>"] {
        resource["text"] = div(lost);
        for version in ALL {
            assert_eq!(vec!["narrative-link Patient.text.div"], warnings(version, &resource), "{lost}");
        }
        all_find(None, &resource);
    }
}
