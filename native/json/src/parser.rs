//! The parser (RFC 8259, strictly).

use crate::{Json, Kind};
use bumpalo::Bump;

/// What a document may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Arrays and objects inside one another.
    pub depth: u32,
}

/// Why a text is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Byte offset.
    pub at: u32,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Not JSON.
    Syntax,
}

/// Parse a text.
pub fn parse<'a>(_source: &[u8], _arena: &'a Bump, _limits: Limits) -> Result<Json<'a>, Fault> {
    Ok(Json { kind: Kind::Null, at: 0 })
}
