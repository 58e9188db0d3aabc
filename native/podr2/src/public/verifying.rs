//! What anybody computes to check a proof, and a keeper to check tags.

use super::proving::{split_tags, sum_sectors, sum_tags};
use super::{PublicKey, PROOF_KIND, SECTORS};
use crate::challenge::Pair;
use crate::curve::{self, Affine, Point, Scalar, G1_LEN, SCALAR_LEN};
use crate::hashes;
use crate::workers::spread;
use crate::{Challenge, Fault, Fragment, Name};

/// A proof whose form is right.
pub struct Proof {
    pub(super) sigma: Affine,
    pub(super) mu: Vec<Scalar>,
}

impl Proof {
    /// Read an encoded proof. Its point lies in the group and is not zero; its numbers are canonical.
    ///
    /// # Errors
    ///
    /// [`Fault::Proof`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let Some((&PROOF_KIND, rest)) = bytes.split_first() else { return Err(Fault::Proof) };
        let Some((sigma, rest)) = rest.split_first_chunk::<G1_LEN>() else { return Err(Fault::Proof) };
        let (mu, rest) = rest.as_chunks::<SCALAR_LEN>();
        if mu.len() != SECTORS || !rest.is_empty() || !mu.iter().all(curve::is_canonical) {
            return Err(Fault::Proof);
        }
        Ok(Self { sigma: curve::read_point(sigma).ok_or(Fault::Proof)?, mu: mu.to_vec() })
    }
}

impl PublicKey {
    /// Tell whether a proof answers the challenge for the fragment of this name.
    pub fn verify(&self, name: &Name, challenge: &Challenge, proof: &Proof, threads: usize) -> bool {
        let expected =
            sum_hashes(name, challenge.pairs(), threads).add(&self.sum_generators(&proof.mu, threads));
        curve::pairings_agree(Point::from(&proof.sigma), &[(expected, self.key)])
    }

    /// Tell whether all tags are right, as a keeper must know before it promises to answer for them.
    ///
    /// # Errors
    ///
    /// [`Fault::Random`].
    pub fn accepts_tags(
        &self,
        fragment: Fragment<'_>,
        name: &Name,
        tags: &[u8],
        threads: usize,
    ) -> Result<bool, Fault> {
        let challenge = Challenge::random()?;
        let Ok(tags) = split_tags(tags) else { return Ok(false) };
        // The sum does not say it: outside the group there are points of order 3, which cancel in a third of all sums.
        let in_group = spread(threads, tags.len(), |range| {
            tags[range].iter().all(|tag| curve::read_point(tag).is_some())
        });
        if in_group.contains(&false) {
            return Ok(false);
        }
        let sigma = sum_tags(tags, challenge.pairs(), threads)?;
        let mu = sum_sectors(fragment, challenge.pairs(), threads);
        Ok(self.verify(name, &challenge, &Proof { sigma: sigma.affine(), mu }, threads))
    }

    pub(super) fn sum_generators(&self, mu: &[Scalar], threads: usize) -> Point {
        total(spread(threads, self.generators.len(), |range| self.generators.sum(range.clone(), &mu[range])))
    }
}

pub(super) fn sum_hashes(name: &Name, pairs: &[Pair], threads: usize) -> Point {
    total(spread(threads, pairs.len(), |range| hashes::sum(name, &pairs[range])))
}

fn total(sums: Vec<Point>) -> Point {
    sums.iter().fold(Point::default(), |total, sum| total.add(sum))
}
