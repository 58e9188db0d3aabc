//! What becomes of a segment on CESS: its hash, its parity, and the hashes of all its fragments.
//!
//! Hashing takes nearly all of the time. Parity is computed a stripe at a time and hashed while it lies in the
//! processor's cache, so that memory is written once and read once.

use crate::{is_zero, Kernel, STRIPE};
use sha2::{Digest, Sha256};

/// Bytes of a segment.
pub const SEGMENT: usize = 32 << 20;
/// Fragments that hold a segment's bytes as they are.
pub const DATA: usize = 4;
/// Bytes of a fragment.
pub const FRAGMENT: usize = SEGMENT / DATA;

const ZEROS: [u8; STRIPE] = [0; STRIPE];
/// SHA-256 of a fragment of zero bytes: most of a small object is padding.
const ZERO_FRAGMENT: Hash = [
    0x2d, 0xae, 0xb1, 0xf3, 0x60, 0x95, 0xb4, 0x4b, 0x31, 0x84, 0x10, 0xb3, 0xf4, 0xe8, 0xb5, 0xd9, 0x89,
    0xdc, 0xc7, 0xbb, 0x02, 0x3d, 0x14, 0x26, 0xc4, 0x92, 0xda, 0xb0, 0xa3, 0x05, 0x3e, 0x74,
];

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hashes of a segment.
#[derive(Debug, PartialEq, Eq)]
pub struct Hashes {
    /// Of the padded segment.
    pub segment: Hash,
    /// Of its fragments: four with data, then one for each row of parity.
    pub fragments: Vec<Hash>,
}

/// The segment or the place for its parity has a wrong length, or a row is no row of a code over four fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// Compute parity and hashes of a segment, which is padded with zero bytes on the right.
///
/// The parity fragments are written one after another; `rows` holds the coefficients of each.
///
/// # Errors
///
/// [`Unfit`] unless there are 1 byte to 32 MiB of segment, four coefficients a row, and 8 MiB of room for each row.
pub fn disperse(rows: &[Vec<u8>], segment: &[u8], parity: &mut [u8]) -> Result<Hashes, Unfit> {
    let fits = (1..=SEGMENT).contains(&segment.len())
        && rows.iter().all(|row| row.len() == DATA)
        && parity.len() == rows.len() * FRAGMENT;
    if !fits {
        return Err(Unfit);
    }
    let kernel = Kernel::best();
    let mut data: Vec<FragmentHash> = (0..DATA).map(|_| FragmentHash::default()).collect();
    let mut coded: Vec<FragmentHash> = rows.iter().map(|_| FragmentHash::default()).collect();
    let mut outputs: Vec<&mut [u8]> = parity.chunks_exact_mut(FRAGMENT).collect();
    for start in (0..FRAGMENT).step_by(STRIPE) {
        let mut edge = [0; STRIPE];
        let stripes = stripes(segment, start, &mut edge);
        let filled: Vec<usize> = (0..DATA).filter(|place| !is_zero(stripes[*place])).collect();
        for (place, hash) in data.iter_mut().enumerate() {
            hash.take(stripes[place], !filled.contains(&place));
        }
        let shards: Vec<&[u8]> = filled.iter().map(|place| stripes[*place]).collect();
        for ((row, output), hash) in rows.iter().zip(&mut outputs).zip(&mut coded) {
            let factors: Vec<u8> = filled.iter().map(|place| row[*place]).collect();
            let output = &mut output[start..start + STRIPE];
            kernel.sum(&factors, &shards, output);
            hash.take(output, filled.is_empty());
        }
    }
    let fragments = data.into_iter().chain(coded).map(FragmentHash::finish).collect();
    Ok(Hashes { segment: padded_hash(segment), fragments })
}

/// The stripe of each data fragment; at most one has both bytes of the segment and padding.
fn stripes<'a>(segment: &'a [u8], start: usize, edge: &'a mut [u8; STRIPE]) -> [&'a [u8]; DATA] {
    let held = |place: usize| segment.get(place * FRAGMENT + start..).unwrap_or(&[]);
    let cut = (0..DATA).find(|place| (1..STRIPE).contains(&held(*place).len()));
    if let Some(place) = cut {
        edge[..held(place).len()].copy_from_slice(held(place));
    }
    let edge: &[u8] = edge;
    std::array::from_fn(|place| match held(place) {
        [] => &ZEROS[..],
        _ if cut == Some(place) => edge,
        rest => &rest[..STRIPE],
    })
}

fn padded_hash(segment: &[u8]) -> Hash {
    let mut hash = Sha256::new_with_prefix(segment);
    let padding = SEGMENT - segment.len();
    (0..padding / STRIPE).for_each(|_| hash.update(ZEROS));
    hash.update(&ZEROS[..padding % STRIPE]);
    hash.finalize().into()
}

/// The hash of a fragment that comes in stripes. As long as only zero bytes came, they are but counted.
#[derive(Default)]
struct FragmentHash {
    zeros: usize,
    hash: Option<Sha256>,
}

impl FragmentHash {
    fn take(&mut self, stripe: &[u8], is_zero: bool) {
        if is_zero && self.hash.is_none() {
            self.zeros += 1;
            return;
        }
        let hash = self.hash.get_or_insert_with(|| {
            let mut hash = Sha256::new();
            (0..self.zeros).for_each(|_| hash.update(ZEROS));
            hash
        });
        hash.update(stripe);
    }

    fn finish(self) -> Hash {
        self.hash.map_or(ZERO_FRAGMENT, |hash| hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [[u8; 4]; 2] = [[27, 28, 18, 20], [216, 196, 232, 245]];

    fn rows() -> Vec<Vec<u8>> {
        ROWS.iter().map(|row| row.to_vec()).collect()
    }

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|at| ((at * 31 + 7) % 251) as u8).collect()
    }

    /// Everything the long way.
    fn plainly(segment: &[u8]) -> (Hashes, Vec<u8>) {
        let mut padded = segment.to_vec();
        padded.resize(SEGMENT, 0);
        let shards: Vec<&[u8]> = padded.chunks(FRAGMENT).collect();
        let mut parity = vec![0xee; ROWS.len() * FRAGMENT];
        crate::combine(&rows(), &shards, &mut parity).unwrap();
        let hash = |bytes: &[u8]| -> Hash { Sha256::digest(bytes).into() };
        let fragments = shards.iter().copied().chain(parity.chunks(FRAGMENT)).map(hash).collect();
        (Hashes { segment: hash(&padded), fragments }, parity)
    }

    #[test]
    fn is_what_the_long_way_gives() {
        let mut holes = content(3 * FRAGMENT);
        holes[FRAGMENT - 5..2 * FRAGMENT + 100_000].fill(0);
        let mut late = vec![0; FRAGMENT];
        late[FRAGMENT - 1] = 1;
        let lengths = [1, STRIPE - 1, STRIPE, STRIPE + 1, FRAGMENT, FRAGMENT + 77, SEGMENT - 1, SEGMENT];
        for segment in lengths.map(content).into_iter().chain([holes, late, vec![0; 5]]) {
            let mut parity = vec![0xdd; ROWS.len() * FRAGMENT];
            let hashes = disperse(&rows(), &segment, &mut parity).unwrap();
            let (expected, expected_parity) = plainly(&segment);
            assert_eq!(expected, hashes);
            assert!(expected_parity == parity, "parity of {} bytes", segment.len());
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut parity = vec![0; 2 * FRAGMENT];
        assert_eq!(Err(Unfit), disperse(&rows(), &[], &mut parity));
        assert_eq!(Err(Unfit), disperse(&rows(), &vec![0; SEGMENT + 1], &mut parity));
        assert_eq!(Err(Unfit), disperse(&rows(), &[1], &mut parity[1..]));
        assert_eq!(Err(Unfit), disperse(&[vec![1; 3], vec![1; 4]], &[1], &mut parity));
    }
}
