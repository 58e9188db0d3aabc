//! Sums of products over GF(2^8), the arithmetic of Reed-Solomon codes, and what they make of a segment.
//!
//! The field is that of the polynomial x^8 + x^4 + x^3 + x^2 + 1, as CESS uses it. To multiply by a constant is linear
//! over bits, so it is an 8 by 8 matrix of bits, and processors with GFNI apply one to 32 bytes in an instruction.
//! Elsewhere eight bytes at a time are doubled in plain words, see [`words`].

pub mod dispersal;
#[cfg(target_arch = "x86_64")]
mod vectors;
mod words;

/// Bytes of each shard combined at a time: with a dozen shards they stay in a core's second cache.
const STRIPE: usize = 16 * 1024;

/// Set each output to its sum of products, `outputs[r] = rows[r][0] * shards[0] + rows[r][1] * shards[1] + …`,
/// byte by byte. The outputs lie one after another.
///
/// # Errors
///
/// [`Mismatch`] unless all shards have one length, each row a coefficient for each shard, and each row an output of
/// that length.
pub fn combine(rows: &[Vec<u8>], shards: &[&[u8]], outputs: &mut [u8]) -> Result<(), Mismatch> {
    let length = shards.first().map_or(0, |shard| shard.len());
    let fits = shards.iter().all(|shard| shard.len() == length)
        && rows.iter().all(|row| row.len() == shards.len())
        && outputs.len() == rows.len() * length;
    if !fits {
        return Err(Mismatch);
    }
    let kernel = Kernel::best();
    for start in (0..length).step_by(STRIPE) {
        let end = length.min(start + STRIPE);
        // Padding is most of a small object, and adds nothing.
        let filled: Vec<usize> =
            (0..shards.len()).filter(|place| !is_zero(&shards[*place][start..end])).collect();
        let stripes: Vec<&[u8]> = filled.iter().map(|place| &shards[*place][start..end]).collect();
        for (row, output) in rows.iter().zip(outputs.chunks_exact_mut(length)) {
            let factors: Vec<u8> = filled.iter().map(|place| row[*place]).collect();
            kernel.sum(&factors, &stripes, &mut output[start..end]);
        }
    }
    Ok(())
}

/// The lengths do not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch;

/// How sums are computed here.
#[derive(Clone, Copy)]
enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Vectors(vectors::Supported),
    Words,
}

impl Kernel {
    fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(supported) = vectors::Supported::here() {
            return Self::Vectors(supported);
        }
        Self::Words
    }

    fn sum(self, factors: &[u8], shards: &[&[u8]], output: &mut [u8]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vectors(supported) => supported.sum(factors, shards, output),
            Self::Words => words::sum(factors, shards, output),
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}

/// The product of two elements.
fn product(mut left: u8, mut right: u8) -> u8 {
    let mut total = 0;
    while right > 0 {
        if right & 1 == 1 {
            total ^= left;
        }
        left = (left << 1) ^ ((left >> 7) * 0x1d);
        right >>= 1;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schoolbook(factors: &[u8], shards: &[&[u8]]) -> Vec<u8> {
        let sum =
            |at: usize| factors.iter().zip(shards).fold(0, |sum, (f, shard)| sum ^ product(*f, shard[at]));
        (0..shards.first().map_or(0, |shard| shard.len())).map(sum).collect()
    }

    proptest! {
        /// Both kernels compute the field's sums, for lengths around every width.
        #[test]
        fn every_kernel_agrees_with_the_schoolbook(
            factors in prop::collection::vec(any::<u8>(), 1..6),
            length in prop_oneof![0usize..70, 500usize..530, 16380usize..16390],
            seed in any::<u64>(),
        ) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 33) as u8
            };
            let shards: Vec<Vec<u8>> = factors.iter().map(|_| (0..length).map(|_| next()).collect()).collect();
            let views: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
            for kernel in [Kernel::best(), Kernel::Words] {
                let mut output = vec![0xee; length];
                kernel.sum(&factors, &views, &mut output);
                prop_assert_eq!(&schoolbook(&factors, &views), &output);
            }
        }
    }
}
