//! Many proofs at once, of any owners.
//!
//! Each claim counts for a random factor that its prover cannot know, so a wrong one spoils the sum but with a chance of
//! one in 2^127.

use std::ptr;

use super::verifying::{sum_hashes, Proof};
use super::{halves, Mu, PublicKey, SECTORS};
use crate::challenge;
use crate::curve::{self, Point, Scalar};
use crate::wide;
use crate::workers::spread;
use crate::{Challenge, Fault, Name};

/// That a proof answers a challenge.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// The owner's key; claims of one owner share a key, by reference, to be cheaper.
    pub key: &'a PublicKey,
    /// Whose fragment's.
    pub name: &'a Name,
    /// What was asked.
    pub challenge: &'a Challenge,
    /// What was answered.
    pub proof: &'a Proof,
}

/// Tell whether all claims are true.
///
/// # Errors
///
/// [`Fault::Batch`]: there is none; [`Fault::Random`].
pub fn verify_batch(claims: &[Claim<'_>], threads: usize) -> Result<bool, Fault> {
    if claims.is_empty() {
        return Err(Fault::Batch);
    }
    let factors = claims.iter().map(|_| challenge::random_coefficient()).collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<Point> = spread(threads, claims.len(), |range| {
        claims[range].iter().map(|claim| sum_hashes(claim.name, claim.challenge.pairs(), 1)).collect()
    })
    .into_iter()
    .flat_map(|part: Vec<Point>| part)
    .collect();
    let sides = owners(claims).into_iter().map(|members| {
        let key = claims[members[0]].key;
        (side(key, claims, &members, &factors, &hashes, threads), key.key)
    });
    let sides: Vec<_> = sides.collect();
    let sigmas: Vec<_> = claims.iter().map(|claim| claim.proof.sigma).collect();
    Ok(curve::pairings_agree(curve::sum(&sigmas, &bytes(&factors)), &sides))
}

/// The places of the claims of each owner.
fn owners(claims: &[Claim<'_>]) -> Vec<Vec<usize>> {
    let mut owners: Vec<Vec<usize>> = Vec::new();
    for (place, claim) in claims.iter().enumerate() {
        let known = owners.iter_mut().find(|members| ptr::eq(claims[members[0]].key, claim.key));
        match known {
            Some(members) => members.push(place),
            None => owners.push(vec![place]),
        }
    }
    owners
}

fn side(
    key: &PublicKey,
    claims: &[Claim<'_>],
    members: &[usize],
    factors: &[u128],
    hashes: &[Point],
    threads: usize,
) -> Point {
    let points: Vec<_> = members.iter().map(|place| hashes[*place]).collect();
    let weights: Vec<_> = members.iter().map(|place| factors[*place]).collect();
    let mu = sum_mu(members.iter().map(|place| &claims[*place].proof.mu), &weights);
    curve::sum(&curve::to_affine(&points), &bytes(&weights)).add(&key.sum_generators(&mu, threads))
}

fn sum_mu<'a>(rows: impl Iterator<Item = &'a Vec<Scalar>>, weights: &[u128]) -> Vec<Scalar> {
    let mut sums = vec![Mu::ZERO; SECTORS];
    for (row, weight) in rows.zip(weights) {
        for (sum, mu) in sums.iter_mut().zip(row) {
            sum.add_product(&halves(*weight), &wide::read(mu));
        }
    }
    sums.iter().map(|sum| curve::reduce(&sum.bytes())).collect()
}

fn bytes(factors: &[u128]) -> Vec<[u8; 16]> {
    factors.iter().map(|factor| factor.to_le_bytes()).collect()
}
