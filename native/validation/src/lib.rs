//! Validation of FHIR JSON against HL7's definitions.

mod binding;
mod codes;
mod extension;
mod invariant;
pub mod issue;
mod outcome;
pub mod rules;
mod validator;
mod walk;

pub use validator::{Finding, Options, Report, Validator};
