//! The field's sums by GFNI, 32 bytes an instruction.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, _mm256_gf2p8affine_epi64_epi8, _mm256_loadu_si256, _mm256_set1_epi64x, _mm256_setzero_si256,
    _mm256_storeu_si256, _mm256_xor_si256,
};

const WIDTH: usize = 32;

/// Says that this processor has what is needed; there is no other way to get one.
#[derive(Clone, Copy)]
pub struct Supported(());

impl Supported {
    /// Look at this processor.
    pub fn here() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("gfni")).then_some(Self(()))
    }

    /// Set the output to the sum of products; all shards are as long as the output.
    pub fn sum(self, factors: &[u8], shards: &[&[u8]], output: &mut [u8]) {
        let whole = output.len() / WIDTH * WIDTH;
        let (body, tail) = output.split_at_mut(whole);
        let bodies: Vec<&[u8]> = shards.iter().map(|shard| &shard[..whole]).collect();
        let tails: Vec<&[u8]> = shards.iter().map(|shard| &shard[whole..]).collect();
        let matrices: Vec<i64> = factors.iter().map(|factor| matrix(*factor)).collect();
        // SAFETY: `self` exists only where both sets of instructions do.
        unsafe { sum_whole(&matrices, &bodies, body) };
        super::words::sum(factors, &tails, tail);
    }
}

/// The product by a factor as GF2P8AFFINEQB takes it: byte 7 - i holds the row of bits that makes bit i.
fn matrix(factor: u8) -> i64 {
    let columns: [u8; 8] = std::array::from_fn(|bit| super::product(factor, 1 << bit));
    let row = |bit: usize| (0..8).fold(0, |row, column| row | (columns[column] >> bit & 1) << column);
    i64::from_be_bytes(std::array::from_fn(row))
}

/// All slices have one length, a multiple of [`WIDTH`].
#[target_feature(enable = "avx2,gfni")]
fn sum_whole(matrices: &[i64], shards: &[&[u8]], output: &mut [u8]) {
    // A segment has four data fragments; knowing the number keeps the matrices in registers.
    if let (Ok(matrices), Ok(shards)) = (matrices.try_into(), shards.try_into()) {
        return sum_known::<4>(matrices, shards, output);
    }
    for (place, chunk) in output.chunks_exact_mut(WIDTH).enumerate() {
        let start = place * WIDTH;
        let mut total = _mm256_setzero_si256();
        for (matrix, shard) in matrices.iter().zip(shards) {
            let product =
                _mm256_gf2p8affine_epi64_epi8::<0>(load(&shard[start..]), _mm256_set1_epi64x(*matrix));
            total = _mm256_xor_si256(total, product);
        }
        store(total, chunk);
    }
}

#[target_feature(enable = "avx2,gfni")]
fn sum_known<const N: usize>(matrices: [i64; N], shards: [&[u8]; N], output: &mut [u8]) {
    let matrices = matrices.map(|matrix| _mm256_set1_epi64x(matrix));
    let mut rest = shards.map(|shard| shard.chunks_exact(WIDTH));
    for chunk in output.chunks_exact_mut(WIDTH) {
        let mut total = _mm256_setzero_si256();
        for (matrix, shard) in matrices.iter().zip(&mut rest) {
            let Some(piece) = shard.next() else { return };
            total = _mm256_xor_si256(total, _mm256_gf2p8affine_epi64_epi8::<0>(load(piece), *matrix));
        }
        store(total, chunk);
    }
}

#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> __m256i {
    let bytes = &bytes[..WIDTH];
    // SAFETY: these are `WIDTH` bytes, and the instruction asks for no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn store(vector: __m256i, bytes: &mut [u8]) {
    let bytes = &mut bytes[..WIDTH];
    // SAFETY: as in `load`.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), vector) }
}
