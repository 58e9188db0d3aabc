//! Which blocks are asked for, and with which coefficients.

use crate::fragment::BLOCKS;
use crate::hashing::Stream;
use crate::Fault;

/// First byte of an encoded challenge.
pub const KIND: u8 = 0x04;
/// The prime of the private scheme, 2^127 - 1; coefficients of both schemes are below it.
pub(crate) const P: u128 = (1 << 127) - 1;

const HEAD_LEN: usize = 3;
const PAIR_LEN: usize = 18;

/// Blocks in ascending order, each with a coefficient from 1 to 2^127 - 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pairs: Vec<Pair>,
}

/// A block and its coefficient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Which block.
    pub index: u16,
    /// What it counts for.
    pub coefficient: u128,
}

impl Challenge {
    /// Make a challenge of pairs.
    ///
    /// # Errors
    ///
    /// [`Fault::Challenge`]: there is none, an order is not ascending, or a value is out of its range.
    pub fn new(pairs: Vec<Pair>) -> Result<Self, Fault> {
        let ascending = pairs.windows(2).all(|two| two[0].index < two[1].index);
        let fit = pairs.iter().all(|pair| usize::from(pair.index) < BLOCKS && fits(pair.coefficient));
        if pairs.is_empty() || !ascending || !fit {
            return Err(Fault::Challenge);
        }
        Ok(Self { pairs })
    }

    /// Derive the challenge of so many blocks from a seed that nobody could choose.
    ///
    /// # Errors
    ///
    /// [`Fault::Challenge`]: the count is not from 1 to 1,024.
    pub fn derive(seed: &[u8; 32], count: u16) -> Result<Self, Fault> {
        if count == 0 || usize::from(count) > BLOCKS {
            return Err(Fault::Challenge);
        }
        let mut stream = Stream::new(seed, count);
        let indexes = draw_indexes(&mut stream, count);
        let pair = |index| Pair { index, coefficient: draw_coefficient(&mut stream) };
        Ok(Self { pairs: indexes.into_iter().map(pair).collect() })
    }

    /// Ask for all blocks, with coefficients that nobody can foresee.
    ///
    /// # Errors
    ///
    /// [`Fault::Random`].
    pub fn random() -> Result<Self, Fault> {
        let pair = |index| Ok(Pair { index, coefficient: random_coefficient()? });
        Ok(Self { pairs: (0..BLOCKS as u16).map(pair).collect::<Result<_, Fault>>()? })
    }

    /// Read an encoded challenge.
    ///
    /// # Errors
    ///
    /// [`Fault::Challenge`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let [KIND, low, high, pairs @ ..] = bytes else { return Err(Fault::Challenge) };
        if pairs.len() != usize::from(u16::from_le_bytes([*low, *high])) * PAIR_LEN {
            return Err(Fault::Challenge);
        }
        Self::new(pairs.chunks_exact(PAIR_LEN).map(read_pair).collect())
    }

    /// Encode: kind, count, and for each block its index and its coefficient, little-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_LEN + self.pairs.len() * PAIR_LEN);
        bytes.push(KIND);
        bytes.extend((self.pairs.len() as u16).to_le_bytes());
        for pair in &self.pairs {
            bytes.extend(pair.index.to_le_bytes());
            bytes.extend(pair.coefficient.to_le_bytes());
        }
        bytes
    }

    /// The pairs, in ascending order of the blocks.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }
}

/// A coefficient that nobody can foresee.
pub(crate) fn random_coefficient() -> Result<u128, Fault> {
    loop {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| Fault::Random)?;
        let value = u128::from_le_bytes(bytes) & P;
        if fits(value) {
            return Ok(value);
        }
    }
}

fn fits(coefficient: u128) -> bool {
    (1..P).contains(&coefficient)
}

fn read_pair(bytes: &[u8]) -> Pair {
    let (index, coefficient) = bytes.split_at(2);
    Pair {
        index: u16::from_le_bytes(index.try_into().expect("two bytes, qed")),
        coefficient: u128::from_le_bytes(coefficient.try_into().expect("sixteen bytes, qed")),
    }
}

fn draw_indexes(stream: &mut Stream, count: u16) -> Vec<u16> {
    let mut chosen = [false; BLOCKS];
    let mut left = count;
    while left > 0 {
        let index = usize::from(u16::from_le_bytes(stream.take())) % BLOCKS;
        left -= u16::from(!chosen[index]);
        chosen[index] = true;
    }
    (0..BLOCKS as u16).filter(|index| chosen[usize::from(*index)]).collect()
}

fn draw_coefficient(stream: &mut Stream) -> u128 {
    loop {
        let value = u128::from_le_bytes(stream.take()) & P;
        if fits(value) {
            return value;
        }
    }
}
