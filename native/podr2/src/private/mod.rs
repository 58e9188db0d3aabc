//! The scheme that only the owner can verify, over the prime field of 2^127 - 1.
//!
//! The tag of block `i` is `f(name, i) + sum(a_j * m_ij)`, where `f` is pseudo-random. A proof is the sum of the tags and, for
//! each sector, the sum of its values, each block times its coefficient.

mod field;
mod keys;
mod proving;

pub use keys::SecretKey;
pub use proving::{prove, Proof};

use crate::fragment::{self, BLOCKS, BLOCK_LEN};

/// Bytes in a sector.
pub const SECTOR_LEN: usize = 15;
/// Sectors in a block; the last one has 2 bytes.
pub const SECTORS: usize = fragment::sectors(SECTOR_LEN);
/// Length of encoded tags.
pub const TAGS_LEN: usize = 1 + BLOCKS * VALUE_LEN;
/// Length of an encoded proof.
pub const PROOF_LEN: usize = 1 + VALUE_LEN + SECTORS * VALUE_LEN;

const VALUE_LEN: usize = 16;
const TAGS_KIND: u8 = 0x22;
const PROOF_KIND: u8 = 0x23;
const SECTOR_MASK: u128 = (1 << (8 * SECTOR_LEN)) - 1;

/// The block's sectors as numbers.
fn sectors(block: &[u8; BLOCK_LEN]) -> impl Iterator<Item = u128> + '_ {
    (0..SECTORS).map(|sector| {
        let rest = &block[sector * SECTOR_LEN..];
        match rest.first_chunk() {
            Some(bytes) => u128::from_le_bytes(*bytes) & SECTOR_MASK,
            None => read_short(rest),
        }
    })
}

#[cold]
fn read_short(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u128::from(*byte)) & SECTOR_MASK
}
