//! Arithmetic modulo 2^127 - 1. Values are below the modulus.

use crate::challenge::P;

/// So many products of 124 bits fit into 128.
pub(super) const RUN: usize = 16;
/// Bits in the lower part of a sector.
const LOW_BITS: u32 = 60;
const LOW: u64 = (1 << LOW_BITS) - 1;

/// Reduce any number.
#[inline]
pub(super) fn reduce(value: u128) -> u128 {
    let folded = (value & P) + (value >> 127);
    if folded >= P {
        folded - P
    } else {
        folded
    }
}

/// Reduce 32 bytes, little-endian.
pub(super) fn reduce_wide(bytes: &[u8; 32]) -> u128 {
    let (low, high) = bytes.split_at(16);
    let [low, high] = [low, high].map(|half| u128::from_le_bytes(half.try_into().expect("16 bytes, qed")));
    // 2^128 is 2.
    add(reduce(low), shifted(reduce(high), 1))
}

#[inline]
pub(super) fn add(left: u128, right: u128) -> u128 {
    reduce(left + right)
}

/// A value times 2 to the power of `bits`, which turns its bits around.
#[inline]
fn shifted(value: u128, bits: u32) -> u128 {
    reduce(((value << bits) & P) | (value >> (127 - bits)))
}

#[inline]
pub(super) fn multiply(left: u128, right: u128) -> u128 {
    let ([low, high], [right_low, right_high]) = (split(left), split(right));
    let middle = add(reduce(product(low, right_high)), reduce(product(high, right_low)));
    // 2^128 is 2.
    let outer = shifted(reduce(product(high, right_high)), 1);
    add(add(reduce(product(low, right_low)), outer), shifted(middle, 64))
}

/// The sum of products of the factors with the values, of which none has more than 120 bits.
pub(super) fn inner_product(factors: &[[u64; 2]], values: impl Iterator<Item = u128>) -> u128 {
    let mut values = values;
    let mut total = 0;
    for run in factors.chunks(RUN) {
        let mut sum = Products::default();
        for (factor, value) in run.iter().zip(&mut values) {
            sum.add(*factor, value);
        }
        total = add(total, sum.value());
    }
    total
}

/// A value's limbs of 64 bits.
#[inline]
pub(super) fn split(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

/// Sums of the four partial products of up to [`RUN`] products.
#[derive(Clone, Default)]
pub(super) struct Products {
    low_low: u128,
    low_high: u128,
    high_low: u128,
    high_high: u128,
}

impl Products {
    /// Add the product of a factor and a value of at most 120 bits.
    #[inline]
    pub(super) fn add(&mut self, factor: [u64; 2], value: u128) {
        let (low, high) = (value as u64 & LOW, (value >> LOW_BITS) as u64);
        self.low_low += product(factor[0], low);
        self.low_high += product(factor[0], high);
        self.high_low += product(factor[1], low);
        self.high_high += product(factor[1], high);
    }

    #[inline]
    pub(super) fn value(&self) -> u128 {
        let high_low = shifted(reduce(self.high_low), 64);
        let low_high = shifted(reduce(self.low_high), LOW_BITS);
        let high_high = shifted(reduce(self.high_high), 64 + LOW_BITS);
        add(add(reduce(self.low_low), high_low), add(low_high, high_high))
    }
}

#[inline]
fn product(left: u64, right: u64) -> u128 {
    u128::from(left) * u128::from(right)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By doubling, bit by bit.
    fn slow_product(left: u128, right: u128) -> u128 {
        (0..127).rev().fold(0, |sum, bit| {
            let twice = (sum + sum) % P;
            if right >> bit & 1 == 1 {
                (twice + left) % P
            } else {
                twice
            }
        })
    }

    proptest! {
        #[test]
        fn products_are_those_of_doubling(left in 0..P, right in 0..P) {
            prop_assert_eq!(slow_product(left, right), multiply(left, right));
        }

        #[test]
        fn sums_of_products_do_not_overflow(count in 0..100usize, seed in any::<u64>()) {
            let most = (1u128 << 120) - 1;
            let factors: Vec<u128> = (0..count as u128).map(|n| P - 1 - n * u128::from(seed)).collect();
            let expected = factors.iter().fold(0, |sum, factor| (sum + slow_product(*factor, most)) % P);
            let limbs: Vec<_> = factors.iter().map(|factor| split(*factor)).collect();
            prop_assert_eq!(expected, inner_product(&limbs, std::iter::repeat(most)));
        }

        #[test]
        fn wide_numbers_are_reduced(low in any::<u128>(), high in any::<u128>()) {
            let mut bytes = [0; 32];
            bytes[..16].copy_from_slice(&low.to_le_bytes());
            bytes[16..].copy_from_slice(&high.to_le_bytes());
            prop_assert_eq!((low % P + slow_product(high % P, 2)) % P, reduce_wide(&bytes));
        }
    }

    #[test]
    fn the_modulus_is_zero() {
        assert_eq!(0, reduce(P));
        assert_eq!(1, reduce(u128::MAX - P));
        assert_eq!(1, multiply(P - 1, P - 1));
    }
}
