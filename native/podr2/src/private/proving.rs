//! What the keeper of fragment and tags answers.

use std::ops::Range;

use super::field::{self, Products};
use super::{sectors, PROOF_KIND, PROOF_LEN, SECTORS, TAGS_KIND, VALUE_LEN};
use crate::challenge::{Pair, P};
use crate::fragment::BLOCKS;
use crate::workers::spread;
use crate::{Challenge, Fault, Fragment};

/// A proof whose form is right.
pub struct Proof {
    pub(super) sigma: u128,
    pub(super) mu: Vec<u128>,
}

impl Proof {
    /// Read an encoded proof, whose numbers are canonical.
    ///
    /// # Errors
    ///
    /// [`Fault::Proof`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let values = read(bytes, PROOF_KIND, 1 + SECTORS).ok_or(Fault::Proof)?;
        let Some((sigma, mu)) = values.split_first() else { return Err(Fault::Proof) };
        Ok(Self { sigma: *sigma, mu: mu.to_vec() })
    }
}

/// Answer a challenge, encoded: kind, the sum of the tags, and a number for each sector.
///
/// # Errors
///
/// [`Fault::Tags`]: the tags are damaged, so that no answer can be right.
pub fn prove(
    fragment: Fragment<'_>,
    tags: &[u8],
    challenge: &Challenge,
    threads: usize,
) -> Result<Vec<u8>, Fault> {
    let tags = read(tags, TAGS_KIND, BLOCKS).ok_or(Fault::Tags)?;
    let pairs = challenge.pairs();
    let parts = spread(threads, pairs.len(), |range| sum_blocks(fragment, &tags, pairs, range));
    let mut proof = Vec::with_capacity(PROOF_LEN);
    proof.push(PROOF_KIND);
    for place in 0..=SECTORS {
        let value = parts.iter().fold(0, |sum, part| field::add(sum, part[place]));
        proof.extend(value.to_le_bytes());
    }
    Ok(proof)
}

/// The sum of some tags, and of their blocks' sectors.
fn sum_blocks(fragment: Fragment<'_>, tags: &[u128], pairs: &[Pair], range: Range<usize>) -> Vec<u128> {
    let mut sums = vec![0; 1 + SECTORS];
    for run in pairs[range].chunks(field::RUN) {
        for pair in run {
            let tag = field::multiply(pair.coefficient, tags[usize::from(pair.index)]);
            sums[0] = field::add(sums[0], tag);
        }
        for (sum, products) in sums[1..].iter_mut().zip(multiply_sectors(fragment, run)) {
            *sum = field::add(*sum, products.value());
        }
    }
    sums
}

fn multiply_sectors(fragment: Fragment<'_>, run: &[Pair]) -> Vec<Products> {
    let mut products = vec![Products::default(); SECTORS];
    for pair in run {
        let coefficient = field::split(pair.coefficient);
        for (product, sector) in products.iter_mut().zip(sectors(fragment.block(usize::from(pair.index)))) {
            product.add(coefficient, sector);
        }
    }
    products
}

fn read(bytes: &[u8], kind: u8, count: usize) -> Option<Vec<u128>> {
    let (found, values) = bytes.split_first()?;
    let (values, rest) = values.as_chunks::<VALUE_LEN>();
    if *found != kind || values.len() != count || !rest.is_empty() {
        return None;
    }
    let values: Vec<_> = values.iter().map(|value| u128::from_le_bytes(*value)).collect();
    values.iter().all(|value| *value < P).then_some(values)
}
