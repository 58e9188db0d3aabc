//! Values of FHIR's primitive types: what may be written, and what it means.

mod primitive;

pub use primitive::Primitive;
