//! Codes whose systems have a grammar and no list.

pub use crate::language::is_language;
pub use crate::ucum::is_unit;

/// Whether a text is written as a media type (BCP 13), or is one of the short names that FHIR's examples use.
pub fn is_media_type(text: &str) -> bool {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default().trim();
    let known = match name.split_once('/') {
        Some((kind, subtype)) => is_token(kind) && is_token(subtype),
        None => matches!(name, "xml" | "json" | "ttl" | "ndjson"),
    };
    known
        && parts.all(|part| {
            part.split_once('=').is_some_and(|(key, value)| is_token(key.trim()) && !value.is_empty())
        })
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&byte))
}
