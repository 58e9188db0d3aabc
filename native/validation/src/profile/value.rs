//! Values against `fixed[x]` and `pattern[x]` (<https://hl7.org/fhir/R4/elementdefinition.html#interpretation>).

use caregrid_json::{Json, Kind};
use serde_json::Value;
use std::cmp::Ordering;

/// Whether a value is exactly another.
pub(crate) fn is_fixed(json: &Json<'_>, fixed: &Value) -> bool {
    match (json.kind, fixed) {
        (Kind::Object(members), Value::Object(wanted)) => {
            members.len() == wanted.len()
                && members
                    .iter()
                    .all(|one| wanted.get(one.name).is_some_and(|value| is_fixed(&one.value, value)))
        }
        (Kind::Array(elements), Value::Array(wanted)) => {
            elements.len() == wanted.len()
                && elements.iter().zip(wanted).all(|(one, value)| is_fixed(one, value))
        }
        _ => is_same(json, fixed),
    }
}

/// Whether a value has everything that a pattern has.
pub(crate) fn is_like(json: &Json<'_>, pattern: &Value) -> bool {
    match (json.kind, pattern) {
        (Kind::Object(_), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| json.get(name).is_some_and(|own| is_like(own, value)))
        }
        (Kind::Array(elements), Value::Array(wanted)) => {
            wanted.iter().all(|value| elements.iter().any(|one| is_like(one, value)))
        }
        _ => is_same(json, pattern),
    }
}

/// The order of a value and a bound; `None` if they cannot be compared.
pub(crate) fn order(json: &Json<'_>, bound: &Value) -> Option<Ordering> {
    match (json.kind, bound) {
        (Kind::Number(digits), Value::Number(bound)) => {
            digits.parse::<f64>().ok()?.partial_cmp(&bound.as_f64()?)
        }
        // Dates of the same precision are in the order of their letters, as long as no time zone is in them.
        (Kind::String(text), Value::String(bound)) if text.len() == bound.len() && !text.contains('T') => {
            Some(text.cmp(bound))
        }
        _ => None,
    }
}

fn is_same(json: &Json<'_>, value: &Value) -> bool {
    match (json.kind, value) {
        (Kind::String(text), Value::String(wanted)) => text == wanted,
        (Kind::Bool(own), Value::Bool(wanted)) => own == *wanted,
        (Kind::Number(digits), Value::Number(wanted)) => digits.parse::<f64>().ok() == wanted.as_f64(),
        _ => false,
    }
}
