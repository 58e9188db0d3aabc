//! The owner's key: makes tags and verifies proofs.

use std::ops::Range;

use zeroize::Zeroizing;

use super::proving::Proof;
use super::{field, sectors, SECTORS, TAGS_KIND, TAGS_LEN};
use crate::fragment::BLOCKS;
use crate::hashing::{Prf, Source};
use crate::workers::spread;
use crate::{Challenge, Fault, Fragment, Name};

/// Makes tags and verifies proofs. Its factors are cleared when dropped.
pub struct SecretKey {
    prf: Prf,
    factors: Zeroizing<Vec<[u64; 2]>>,
}

impl SecretKey {
    /// Derive the key from a seed.
    ///
    /// # Errors
    ///
    /// [`Fault::Seed`].
    pub fn new(seed: &[u8]) -> Result<Self, Fault> {
        let source = Source::new(seed)?;
        let prf = Prf::new(&source.secret(b"private/f", 0));
        let mut factors = Zeroizing::new(Vec::with_capacity(SECTORS));
        for sector in 0..SECTORS as u16 {
            let factor = field::reduce_wide(&source.secret(b"private/a", sector));
            if factor == 0 {
                return Err(Fault::Seed);
            }
            factors.push(field::split(factor));
        }
        Ok(Self { prf, factors })
    }

    /// Return the tags of a fragment, encoded: kind, and 16 bytes for each block.
    pub fn tag(&self, fragment: Fragment<'_>, name: &Name, threads: usize) -> Vec<u8> {
        let mut tags = Vec::with_capacity(TAGS_LEN);
        tags.push(TAGS_KIND);
        for part in spread(threads, BLOCKS, |blocks| self.tag_blocks(fragment, name, blocks)) {
            tags.extend(part);
        }
        tags
    }

    fn tag_blocks(&self, fragment: Fragment<'_>, name: &Name, blocks: Range<usize>) -> Vec<u8> {
        blocks.flat_map(|index| self.tag_block(fragment, name, index).to_le_bytes()).collect()
    }

    fn tag_block(&self, fragment: Fragment<'_>, name: &Name, index: usize) -> u128 {
        let mask = self.mask(name, index as u16);
        field::add(mask, field::inner_product(&self.factors, sectors(fragment.block(index))))
    }

    /// Tell whether a proof answers the challenge for the fragment of this name.
    pub fn verify(&self, name: &Name, challenge: &Challenge, proof: &Proof) -> bool {
        let masks = challenge.pairs().iter().fold(0, |sum, pair| {
            field::add(sum, field::multiply(pair.coefficient, self.mask(name, pair.index)))
        });
        let sums = self.factors.iter().zip(&proof.mu).fold(masks, |sum, (factor, mu)| {
            let factor = u128::from(factor[1]) << 64 | u128::from(factor[0]);
            field::add(sum, field::multiply(factor, *mu))
        });
        sums == proof.sigma
    }

    fn mask(&self, name: &Name, index: u16) -> u128 {
        field::reduce_wide(&self.prf.value(name, index))
    }
}
