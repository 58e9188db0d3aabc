//! The owner's key and what of it is public.

use zeroize::Zeroizing;

use super::{PUBLIC_KEY_KIND, PUBLIC_KEY_LEN, SECTORS};
use crate::curve::{self, Affine2, Bases, Point, Scalar, G1_LEN, G2_LEN};
use crate::hashing::Source;
use crate::wide::{self, Limbs};
use crate::Fault;

/// Longer than the group order by 128 bits, so that the remainder has no bias.
const WIDE: usize = 48;

/// Makes tags. Its numbers are cleared when dropped.
pub struct SecretKey {
    pub(super) x: Zeroizing<Scalar>,
    pub(super) exponents: Zeroizing<Vec<Limbs>>,
}

impl SecretKey {
    /// Derive the key from a seed.
    ///
    /// # Errors
    ///
    /// [`Fault::Seed`].
    pub fn new(seed: &[u8]) -> Result<Self, Fault> {
        let source = Source::new(seed)?;
        let x = secret(&source, b"public/x", 0)?;
        let mut exponents = Zeroizing::new(Vec::with_capacity(SECTORS));
        for sector in 0..SECTORS as u16 {
            exponents.push(wide::read(&*secret(&source, b"public/a", sector)?));
        }
        Ok(Self { x, exponents })
    }

    /// The public key, encoded: kind, `g2 * x`, and a generator for each sector.
    pub fn public_key(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PUBLIC_KEY_LEN);
        bytes.push(PUBLIC_KEY_KIND);
        bytes.extend(curve::generator2_times(&self.x));
        for exponent in self.exponents.iter() {
            bytes.extend(Point::generator_times(&scalar(exponent)).compress());
        }
        bytes
    }
}

/// Verifies proofs.
pub struct PublicKey {
    pub(super) key: Affine2,
    pub(super) generators: Bases,
}

impl PublicKey {
    /// Read an encoded public key; each of its points is checked to lie in its group, which takes some milliseconds.
    ///
    /// # Errors
    ///
    /// [`Fault::PublicKey`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let Some((&PUBLIC_KEY_KIND, points)) = bytes.split_first() else { return Err(Fault::PublicKey) };
        let Some((key, generators)) = points.split_first_chunk::<G2_LEN>() else {
            return Err(Fault::PublicKey);
        };
        let (generators, rest) = generators.as_chunks::<G1_LEN>();
        if generators.len() != SECTORS || !rest.is_empty() {
            return Err(Fault::PublicKey);
        }
        let key = curve::read_point2(key).ok_or(Fault::PublicKey)?;
        let generators: Option<Vec<_>> = generators.iter().map(curve::read_point).collect();
        Ok(Self { key, generators: Bases::new(&generators.ok_or(Fault::PublicKey)?) })
    }
}

fn secret(source: &Source, label: &[u8], number: u16) -> Result<Zeroizing<Scalar>, Fault> {
    let reduced = Zeroizing::new(curve::reduce(&*source.secret::<WIDE>(label, number)));
    if reduced.iter().all(|byte| *byte == 0) {
        return Err(Fault::Seed);
    }
    Ok(reduced)
}

fn scalar(limbs: &Limbs) -> Scalar {
    let mut bytes = [0; 32];
    for (eight, limb) in bytes.chunks_exact_mut(8).zip(limbs) {
        eight.copy_from_slice(&limb.to_le_bytes());
    }
    bytes
}
