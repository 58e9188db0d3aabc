//! Nothing panics, whatever is written.

mod common;

use bumpalo::Bump;
use caregrid_fhirpath::{Context, Element, Expression};
use caregrid_schema::Schema;
use proptest::prelude::*;
use std::sync::LazyLock;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| common::schema("5.0"));

const DOCUMENT: &str = r##"{"resourceType": "Observation", "id": "o", "status": "final", "valueQuantity":
  {"value": 1e400, "code": "mg"}, "effectivePeriod": {"start": "2012-13-45", "end": 7}, "component": [{}, null, 3,
  {"valueRange": {"low": {"value": -0.0000000000000000000000000001}, "high": [1]}}], "subject": {"reference": "#"},
  "contained": [{"resourceType": "Nothing", "id": 1}, {"id": "x"}], "code": "text", "issued": true, "note": []}"##;

const WORDS: [&str; 64] = [
    "name",
    "value",
    "component",
    "status",
    "effective",
    "subject",
    "contained",
    ".",
    ".",
    ".",
    ".",
    "(",
    ")",
    "(",
    ")",
    "[",
    "]",
    ",",
    "|",
    "and",
    "or",
    "xor",
    "implies",
    "=",
    "!=",
    "~",
    "<",
    ">=",
    "in",
    "contains",
    "is",
    "as",
    "Quantity",
    "string",
    "$this",
    "$index",
    "$total",
    "%resource",
    "%ucum",
    "1",
    "2.5",
    "'a'",
    "@2012-01",
    "@T10:00",
    "3 'mg'",
    "5 months",
    "{}",
    "true",
    "+",
    "-",
    "*",
    "/",
    "div",
    "mod",
    "&",
    "where(",
    "select(",
    "exists()",
    "descendants()",
    "repeat(",
    "lowBoundary()",
    "resolve()",
    "substring(",
    "toQuantity()",
];

fn evaluate(text: &str) {
    let Ok(expression) = Expression::parse(text, &SCHEMA) else { return };
    let arena = Bump::new();
    let root = Element::resource(&SCHEMA, common::document(&arena, DOCUMENT)).expect("a resource");
    let context = Context::new(&SCHEMA, &arena, root);
    let _ = expression.evaluate(root, &context);
    let _ = expression.holds(root, &context);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in ".{0,80}") {
        evaluate(&text);
    }

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..24), glue in prop::bool::ANY) {
        evaluate(&words.join(if glue { "" } else { " " }));
    }

    #[test]
    fn any_function(
        path in prop::sample::select(&["value", "component", "effective.start", "'ab'", "1.5", "@2012-02-30", "{}"][..]),
        function in "(round|power|log|sqrt|exp|ln|abs|truncate|substring|indexOf|split|take|skip|toDate|toTime|\
            toInteger|toDecimal|toQuantity|highBoundary|matches|replaceMatches|replace|join|single|comparable)",
        argument in prop::sample::select(&["", "0", "-1", "9223372036854775807", "'('", "''", "1.5, 2", "'a', 'b'", "1, 9"][..]),
    ) {
        evaluate(&format!("{path}.{function}({argument})"));
    }
}

/// Each invariant on each element of an instance that breaks every rule of FHIR's JSON.
#[test]
fn invariants_on_nonsense() {
    let arena = Bump::new();
    let rules: Vec<_> =
        SCHEMA.invariants.iter().filter_map(|one| Expression::parse(&one.expression, &SCHEMA).ok()).collect();
    let root = Element::resource(&SCHEMA, common::document(&arena, DOCUMENT)).expect("a resource");
    let context = Context::new(&SCHEMA, &arena, root);
    let mut elements = vec![root];
    let mut number = 0;
    while let Some(element) = elements.pop() {
        number += 1;
        elements.extend(element.children(&SCHEMA));
        for rule in &rules {
            let _ = rule.holds(element, &context);
        }
    }
    assert!(number > 20, "{number} elements were found only");
}
