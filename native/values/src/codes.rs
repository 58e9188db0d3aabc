//! Codes whose systems have a grammar and no list.

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

/// Whether a text is a well-formed language tag (BCP 47, RFC 5646 section 2.1), or a private or grandfathered one.
pub fn is_language(text: &str) -> bool {
    let mut tags = text.split('-');
    let first = tags.next().unwrap_or_default();
    let alphabetic = first.bytes().all(|byte| byte.is_ascii_alphabetic());
    let begins = match first.len() {
        1 => matches!(first, "x" | "X" | "i" | "I") && text.len() > 2,
        2..=8 => alphabetic,
        _ => false,
    };
    begins
        && tags
            .all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}
