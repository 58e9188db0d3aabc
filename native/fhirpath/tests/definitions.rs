//! Every expression that HL7 publishes.

mod common;

use caregrid_fhirpath::Expression;

/// Whatever stands in the definitions of a version is compiled; a function that is not known would go unnoticed
/// otherwise, since it is trouble only when it is evaluated.
#[test]
fn all_invariants_are_understood() {
    for version in ["4.0", "4.3", "5.0"] {
        let schema = common::schema(version);
        let mut number = 0;
        for invariant in schema.invariants.iter().filter(|one| !one.expression.is_empty()) {
            let parsed = Expression::parse(&invariant.expression, &schema);
            let expression = parsed.unwrap_or_else(|error| panic!("{version} {}: {error}", invariant.key));
            assert!(expression.is_supported(), "{version} {}: {}", invariant.key, invariant.expression);
            number += 1;
        }
        assert!(number > 150, "{version} has {number} invariants only");
    }
}

/// The contexts of extensions are expressions too.
#[test]
fn all_context_invariants_are_understood() {
    for version in ["4.0", "4.3", "5.0"] {
        let schema = common::schema(version);
        for structure in schema.structures.values() {
            for text in &structure.context_invariants {
                let expression = Expression::parse(text, &schema);
                assert!(
                    expression.is_ok_and(|one| one.is_supported()),
                    "{version} {}: {text}",
                    structure.url
                );
            }
        }
    }
}

#[test]
fn what_is_not_known_is_told() {
    let schema = common::schema("4.0");
    for (text, supported) in
        [("name.exists()", true), ("name.where(frobnicate())", false), ("%nothing", false)]
    {
        let expression = Expression::parse(text, &schema).expect("sound");
        assert_eq!(expression.is_supported(), supported, "{text}");
    }
}
