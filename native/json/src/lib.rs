//! JSON as it was written: every value knows where it stands, numbers keep their digits, names keep their order.
//!
//! A document lies in one arena ([`bumpalo::Bump`]); every value is `Copy` and cheap to hand around.

mod parser;
mod position;
mod scanner;

pub use parser::{parse, Fault, FaultKind, Limits};
pub use position::{Lines, Position};

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a> {
    /// What it is.
    pub kind: Kind<'a>,
    /// Byte offset of its first byte.
    pub at: u32,
}

/// The six kinds of JSON.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// Members in the order they were written, names unique.
    Object(&'a [Member<'a>]),
    /// Elements.
    Array(&'a [Json<'a>]),
    /// A string, unescaped.
    String(&'a str),
    /// A number, digit by digit as written (FHIR's decimals keep their precision).
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// A name and its value.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Unescaped.
    pub name: &'a str,
    /// Byte offset of the name's opening quote.
    pub name_at: u32,
    /// What it names.
    pub value: Json<'a>,
}

impl<'a> Json<'a> {
    /// The members, empty for anything but an object.
    pub fn members(&self) -> &'a [Member<'a>] {
        match self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements, empty for anything but an array.
    pub fn elements(&self) -> &'a [Json<'a>] {
        match self.kind {
            Kind::Array(elements) => elements,
            _ => &[],
        }
    }

    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&'a Json<'a>> {
        self.members().iter().find(|member| member.name == name).map(|member| &member.value)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&'a str> {
        match self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text of the string member of that name.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(|value| value.as_str())
    }
}
