//! The field's sums in plain words, for any processor.
//!
//! A product by a constant is a sum of some of the eight doublings of the other factor. Doubling takes shifts and
//! masks only, so compilers make vector instructions of these loops by themselves.

/// Bytes in a block: the doublings of one stay in a core's fastest cache.
const BLOCK: usize = 512;

const WORDS: usize = BLOCK / 8;
const LOW_SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const LOW_ONE: u64 = 0x0101_0101_0101_0101;

type Block = [u64; WORDS];

/// Set the output to the sum of products.
pub fn sum(factors: &[u8], shards: &[&[u8]], output: &mut [u8]) {
    for (place, part) in output.chunks_mut(BLOCK).enumerate() {
        let start = place * BLOCK;
        let mut total = [0; WORDS];
        for (factor, shard) in factors.iter().zip(shards) {
            add_product(*factor, read(&shard[start..start + part.len()]), &mut total);
        }
        write(&total, part);
    }
}

fn add_product(factor: u8, mut block: Block, total: &mut Block) {
    for bit in 0..8 {
        if factor >> bit & 1 == 1 {
            total.iter_mut().zip(&block).for_each(|(word, addend)| *word ^= addend);
        }
        if factor >> bit > 1 {
            block.iter_mut().for_each(|word| *word = doubled(*word));
        }
    }
}

fn doubled(word: u64) -> u64 {
    let overflown = (word >> 7) & LOW_ONE;
    // Times 0x1d, the polynomial without its highest power; it stays within each byte.
    ((word & LOW_SEVEN) << 1) ^ overflown ^ (overflown << 2) ^ (overflown << 3) ^ (overflown << 4)
}

fn read(bytes: &[u8]) -> Block {
    let mut padded = [0; BLOCK];
    padded[..bytes.len()].copy_from_slice(bytes);
    let mut block = [0; WORDS];
    for (word, chunk) in block.iter_mut().zip(padded.chunks_exact(8)) {
        *word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    block
}

fn write(block: &Block, bytes: &mut [u8]) {
    for (chunk, word) in bytes.chunks_mut(8).zip(block) {
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
}
