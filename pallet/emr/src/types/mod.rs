//! The values that this pallet stores and takes as arguments.

mod access;
mod parties;
mod records;
mod rejections;
mod reports;

pub use access::*;
pub use parties::*;
pub use records::*;
pub use rejections::*;
pub use reports::*;

/// Chosen by the submitter (UUIDv7); storing the same id twice fails, so it is the idempotency key.
pub type RecordId = [u8; 16];
/// Random, never derived from identity.
pub type PatientId = [u8; 32];
/// CESS file id.
pub type ObjectId = [u8; 32];
/// SHA-256.
pub type Digest = [u8; 32];
