//! The two proofs of retrievability of Shacham and Waters (2008) over fragments of 8 MiB.
//!
//! A fragment is 1,024 blocks of 8 KiB. The owner computes a tag for each block. Who keeps fragment and tags can answer a
//! challenge, a random sum of some blocks, only from those blocks. [`public`]: anybody can check the answer; BLS12-381.
//! [`private`]: only the owner can, at the speed of memory; the prime field of 2^127 - 1. `docs/reference/podr2.md` has
//! every byte.

pub mod challenge;
mod curve;
pub mod fragment;
mod hashes;
mod hashing;
pub mod private;
pub mod public;
mod wide;
mod workers;

use std::fmt;

pub use challenge::Challenge;
pub use fragment::Fragment;

/// What cannot be used, and why. No text holds a key or content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A fragment has another length than 8 MiB.
    FragmentSize,
    /// A name has another length than 32 bytes.
    NameSize,
    /// A seed has another length than 32 bytes, is zero, or leads to a key that is zero.
    Seed,
    /// A challenge breaks a rule of its form.
    Challenge,
    /// Tags have another length or kind than they must have, or one is no point.
    Tags,
    /// A public key has another length or kind, or holds what is no point of its group.
    PublicKey,
    /// A proof has another length or kind, or holds a number or point that is not canonical.
    Proof,
    /// A batch has not the same number of keys, names, challenges and proofs.
    Batch,
    /// The system gives no random bytes.
    Random,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::FragmentSize => "a fragment is 8,388,608 bytes; pad it as the erasure code does",
            Self::NameSize => "a fragment's name is its SHA-256, 32 bytes",
            Self::Seed => "a seed is 32 random bytes, not zero; draw another one",
            Self::Challenge => {
                "a challenge names 1 to 1,024 blocks in ascending order, none twice, each with a coefficient \
                 from 1 to 2^127 - 2"
            }
            Self::Tags => "these are no tags of this scheme for one fragment",
            Self::PublicKey => "this is no public key: its length, its kind or one of its points is wrong",
            Self::Proof => "this is no proof of this scheme: its length, its kind or a value in it is wrong",
            Self::Batch => "give as many keys, names and challenges as proofs, and at least one",
            Self::Random => "the system gave no random bytes; try again",
        })
    }
}

impl std::error::Error for Fault {}

/// A fragment's name: its SHA-256. Two fragments under one name and key would break the proofs.
pub type Name = [u8; 32];

/// Return a name from bytes of any length.
///
/// # Errors
///
/// [`Fault::NameSize`].
pub fn name(bytes: &[u8]) -> Result<Name, Fault> {
    bytes.try_into().map_err(|_| Fault::NameSize)
}
