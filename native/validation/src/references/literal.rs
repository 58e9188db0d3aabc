//! What a literal reference says by itself (<https://hl7.org/fhir/R4/references.html#literal>).

use caregrid_schema::Schema;

/// A literal reference, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Literal<'r> {
    /// `#id`, or `#` for the resource that contains this one.
    Internal(&'r str),
    /// A URL or URN, without its version and fragment.
    Absolute { url: &'r str, version: Option<&'r str> },
    /// `Patient/1`, without its version.
    Relative { path: &'r str, version: Option<&'r str> },
    /// `Patient?identifier=…`: a search that a transaction replaces by what it finds.
    Conditional { type_name: &'r str },
    /// None of these.
    Malformed,
}

impl<'r> Literal<'r> {
    pub(crate) fn of(schema: &Schema, reference: &'r str) -> Self {
        if let Some(id) = reference.strip_prefix('#') {
            return Self::Internal(id);
        }
        let plain = reference.split('#').next().unwrap_or_default();
        let (plain, version) = match plain.rsplit_once("/_history/") {
            Some((plain, version)) => (plain, Some(version)),
            None => (plain, None),
        };
        if is_absolute(plain) {
            return Self::Absolute { url: plain, version };
        }
        if let Some((type_name, _)) = plain.split_once('?') {
            let known = schema.resource(type_name).is_some();
            return if known { Self::Conditional { type_name } } else { Self::Malformed };
        }
        match plain.split_once('/') {
            Some((type_name, id)) if is_instance(schema, type_name, id) => {
                Self::Relative { path: plain, version }
            }
            _ => Self::Malformed,
        }
    }

    /// The type of what it refers to, as far as its text tells.
    pub(crate) fn type_name(&self, schema: &Schema) -> Option<&'r str> {
        match self {
            Self::Absolute { url, .. } => rest_parts(schema, url).map(|parts| parts.type_name),
            Self::Relative { path, .. } => path.split_once('/').map(|(type_name, _)| type_name),
            Self::Conditional { type_name } => Some(type_name),
            Self::Internal(_) | Self::Malformed => None,
        }
    }
}

/// A URL that looks like that of a resource on a RESTful server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RestParts<'r> {
    /// The server, with its last slash.
    pub base: &'r str,
    /// `Patient`.
    pub type_name: &'r str,
    /// Its id.
    pub id: &'r str,
}

/// Take such a URL apart; it has no version.
pub(crate) fn rest_parts<'r>(schema: &Schema, url: &'r str) -> Option<RestParts<'r>> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return None;
    }
    let (rest, id) = url.rsplit_once('/')?;
    let (server, type_name) = rest.rsplit_once('/')?;
    let base = url.get(..server.len() + 1)?;
    is_instance(schema, type_name, id).then_some(RestParts { base, type_name, id })
}

fn is_instance(schema: &Schema, type_name: &str, id: &str) -> bool {
    schema.resource(type_name).is_some() && !id.is_empty() && !id.contains(['/', '?', '|'])
}

/// Whether a text begins with a scheme.
pub(crate) fn is_absolute(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(letters)
        && !rest.is_empty()
}
