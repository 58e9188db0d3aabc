//! Validation of FHIR JSON against HL7's definitions.

mod binding;
mod bundle;
mod codes;
mod contained;
mod extension;
mod invariant;
pub mod issue;
mod narrative;
mod outcome;
mod primitive;
mod profile;
mod property;
mod references;
pub mod rules;
mod validator;
mod walk;

pub use validator::{Finding, Options, Report, Validator};
