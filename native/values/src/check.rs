//! One value against its type.

use crate::{moment, numbers, texts, Primitive};
use caregrid_json::{Json, Kind};

/// Why a value is not one of its type. Texts are ours alone; the value is in none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not written as the kind of JSON that the type has.
    Kind(&'static str),
    /// It is not of the type's form, or out of its range.
    Format(&'static str),
}

impl Problem {
    /// What is wrong, for whoever wrote the value.
    pub fn text(self) -> &'static str {
        match self {
            Self::Kind(text) | Self::Format(text) => text,
        }
    }
}

/// Check a value of a primitive type (<https://hl7.org/fhir/R4/datatypes.html#primitive>), narratives but for their
/// content, see [`crate::xhtml`].
///
/// # Errors
///
/// [`Problem`]: the first thing that is wrong.
pub fn check(primitive: Primitive, json: &Json<'_>) -> Result<(), Problem> {
    match primitive {
        Primitive::Boolean => match json.kind {
            Kind::Bool(_) => Ok(()),
            _ => Err(Problem::Kind("a boolean is written true or false, without quotes")),
        },
        Primitive::Decimal | Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt => {
            match json.kind {
                Kind::Number(digits) => numbers::check(primitive, digits).map_err(Problem::Format),
                _ => Err(Problem::Kind("a number is written without quotes")),
            }
        }
        _ => match json.kind {
            Kind::String(text) => check_text(primitive, text).map_err(Problem::Format),
            _ => Err(Problem::Kind("this value is written as a string, in quotes")),
        },
    }
}

fn check_text(primitive: Primitive, text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("a value is never empty; leave the property out");
    }
    match primitive {
        Primitive::Base64Binary => texts::base64(text),
        Primitive::Canonical => texts::canonical(text),
        Primitive::Uri | Primitive::Url => texts::uri(text),
        Primitive::Code => texts::code(text),
        Primitive::Date => moment::date(text),
        Primitive::DateTime => moment::date_time(text),
        Primitive::Id => texts::id(text),
        Primitive::Instant => moment::instant(text),
        Primitive::Integer64 => numbers::integer64(text),
        Primitive::Oid => texts::oid(text),
        Primitive::Time => moment::time(text),
        Primitive::Uuid => texts::uuid(text),
        Primitive::Xhtml => Ok(()),
        _ => texts::string(text),
    }
}
