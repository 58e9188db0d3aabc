//! Values of FHIR's primitive types: what may be written.

mod check;
pub mod codes;
mod language;
mod moment;
mod numbers;
mod primitive;
mod texts;
mod ucum;
pub mod xhtml;

pub use check::{check, Problem};
pub use primitive::Primitive;
