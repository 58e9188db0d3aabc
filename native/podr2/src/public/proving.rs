//! What the keeper of fragment and tags answers.

use std::ops::Range;

use super::{halves, Mu, PROOF_KIND, PROOF_LEN, SECTORS, SECTOR_LEN, TAGS_KIND};
use crate::challenge::Pair;
use crate::curve::{self, Affine, Point, Scalar, G1_LEN};
use crate::fragment::{BLOCKS, BLOCK_LEN};
use crate::wide;
use crate::workers::spread;
use crate::{Challenge, Fault, Fragment};

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
    let tags = split_tags(tags)?;
    let sigma = sum_tags(tags, challenge.pairs(), threads)?;
    let mut proof = Vec::with_capacity(PROOF_LEN);
    proof.push(PROOF_KIND);
    proof.extend(sigma.compress());
    for mu in sum_sectors(fragment, challenge.pairs(), threads) {
        proof.extend(mu);
    }
    Ok(proof)
}

pub(super) fn split_tags(tags: &[u8]) -> Result<&[[u8; G1_LEN]], Fault> {
    let Some((&TAGS_KIND, tags)) = tags.split_first() else { return Err(Fault::Tags) };
    match tags.as_chunks() {
        (tags, []) if tags.len() == BLOCKS => Ok(tags),
        _ => Err(Fault::Tags),
    }
}

pub(super) fn sum_tags(tags: &[[u8; G1_LEN]], pairs: &[Pair], threads: usize) -> Result<Point, Fault> {
    let sums = spread(threads, pairs.len(), |range| {
        let pairs = &pairs[range];
        let points: Option<Vec<Affine>> =
            pairs.iter().map(|pair| curve::read_on_curve(&tags[usize::from(pair.index)])).collect();
        Ok(curve::sum(&points.ok_or(Fault::Tags)?, &coefficients(pairs)))
    });
    sums.into_iter().try_fold(Point::default(), |total, sum| Ok(total.add(&sum?)))
}

fn coefficients(pairs: &[Pair]) -> Vec<[u8; 16]> {
    pairs.iter().map(|pair| pair.coefficient.to_le_bytes()).collect()
}

pub(super) fn sum_sectors(fragment: Fragment<'_>, pairs: &[Pair], threads: usize) -> Vec<Scalar> {
    spread(threads, SECTORS, |sectors| sum_some_sectors(fragment, pairs, sectors)).concat()
}

fn sum_some_sectors(fragment: Fragment<'_>, pairs: &[Pair], sectors: Range<usize>) -> Vec<Scalar> {
    let mut sums = vec![Mu::ZERO; sectors.len()];
    let bytes = sectors.start * SECTOR_LEN..BLOCK_LEN.min(sectors.end * SECTOR_LEN);
    for pair in pairs {
        let coefficient = halves(pair.coefficient);
        let part = &fragment.block(usize::from(pair.index))[bytes.clone()];
        for (sum, sector) in sums.iter_mut().zip(part.chunks(SECTOR_LEN)) {
            sum.add_product(&coefficient, &wide::read(sector));
        }
    }
    sums.iter().map(|sum| curve::reduce(&sum.bytes())).collect()
}
