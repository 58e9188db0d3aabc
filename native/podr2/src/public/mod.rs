//! The scheme that anybody can verify, over BLS12-381.
//!
//! The tag of block `i` is `(H(name, i) + g1 * sum(a_j * m_ij)) * x`. The public key has `g2 * x` and `u_j = g1 * a_j`. A proof
//! is the sum of the tags and, for each sector, the sum of its values, each block times its coefficient.

mod batch;
mod keys;
mod proving;
mod tagging;
mod verifying;

pub use batch::{verify_batch, Claim};
pub use keys::{PublicKey, SecretKey};
pub use proving::prove;
pub use verifying::Proof;

use crate::fragment::{self, BLOCKS};
use crate::{curve, wide};

/// Bytes in a sector.
pub const SECTOR_LEN: usize = 31;
/// Sectors in a block; the last one has 8 bytes.
pub const SECTORS: usize = fragment::sectors(SECTOR_LEN);
/// Length of encoded tags.
pub const TAGS_LEN: usize = 1 + BLOCKS * curve::G1_LEN;
/// Length of an encoded proof.
pub const PROOF_LEN: usize = 1 + curve::G1_LEN + SECTORS * curve::SCALAR_LEN;
/// Length of an encoded public key.
pub const PUBLIC_KEY_LEN: usize = 1 + curve::G2_LEN + SECTORS * curve::G1_LEN;

const PUBLIC_KEY_KIND: u8 = 0x11;
const TAGS_KIND: u8 = 0x12;
const PROOF_KIND: u8 = 0x13;

/// Sums of a coefficient of 128 bits and a number of 256, a million times over.
type Mu = wide::Sum<7>;

fn halves(coefficient: u128) -> [u64; 2] {
    [coefficient as u64, (coefficient >> 64) as u64]
}
