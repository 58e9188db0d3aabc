//! The field of the curve's coordinates, by blst.

#![allow(unsafe_code)]

use std::ops::{Add, Mul, Sub};

use blst::{
    blst_fp, blst_fp_add, blst_fp_from_bendian, blst_fp_from_uint64, blst_fp_inverse, blst_fp_mul,
    blst_fp_sqr, blst_fp_sqrt, blst_fp_sub, blst_lendian_from_fp,
};

/// Length of a coordinate.
const LEN: usize = 48;

/// A coordinate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fp(pub(super) blst_fp);

impl Fp {
    pub(super) fn small(value: u64) -> Self {
        let (mut number, limbs) = (blst_fp::default(), [value, 0, 0, 0, 0, 0]);
        // SAFETY: six limbs are read.
        unsafe { blst_fp_from_uint64(&mut number, limbs.as_ptr()) };
        Self(number)
    }

    /// Read the 96 hexadecimal digits of a number below the modulus.
    pub(super) fn from_hex(digits: &str) -> Self {
        let mut bytes = [0; LEN];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("a constant has digits, qed");
        }
        Self::from_bytes(&bytes)
    }

    /// Reduce 64 bytes, big-endian.
    pub(super) fn reduce(bytes: &[u8; 64]) -> Self {
        let (high, low) = bytes.split_at(32);
        let half = |part: &[u8]| {
            let mut padded = [0; LEN];
            padded[LEN - 32..].copy_from_slice(part);
            Self::from_bytes(&padded)
        };
        let mut shift = [0; LEN];
        shift[LEN - 33] = 1;
        half(high) * Self::from_bytes(&shift) + half(low)
    }

    fn from_bytes(bytes: &[u8; LEN]) -> Self {
        let mut number = blst_fp::default();
        // SAFETY: 48 bytes are read.
        unsafe { blst_fp_from_bendian(&mut number, bytes.as_ptr()) };
        Self(number)
    }

    pub(super) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn is_odd(&self) -> bool {
        let mut bytes = [0; LEN];
        // SAFETY: 48 bytes are written.
        unsafe { blst_lendian_from_fp(bytes.as_mut_ptr(), &self.0) };
        bytes[0] & 1 == 1
    }

    pub(super) fn square(&self) -> Self {
        let mut square = blst_fp::default();
        // SAFETY: both are living values.
        unsafe { blst_fp_sqr(&mut square, &self.0) };
        Self(square)
    }

    /// The square root, or else, as the error, the square root of the negated number.
    pub(super) fn root(&self) -> Result<Self, Self> {
        let mut root = blst_fp::default();
        // SAFETY: both are living values. The root is written also when it is that of the negated number.
        if unsafe { blst_fp_sqrt(&mut root, &self.0) } {
            Ok(Self(root))
        } else {
            Err(Self(root))
        }
    }

    fn inverse(&self) -> Self {
        let mut inverse = blst_fp::default();
        // SAFETY: both are living values.
        unsafe { blst_fp_inverse(&mut inverse, &self.0) };
        Self(inverse)
    }
}

/// Invert all with one inversion; none if one of them is zero.
pub(super) fn invert_all(numbers: &[Fp]) -> Option<Vec<Fp>> {
    let mut product = Fp::small(1);
    let mut inverses = Vec::with_capacity(numbers.len());
    for number in numbers {
        inverses.push(product);
        product = product * *number;
    }
    if product.is_zero() {
        return None;
    }
    let mut rest = product.inverse();
    for (inverse, number) in inverses.iter_mut().zip(numbers).rev() {
        *inverse = *inverse * rest;
        rest = rest * *number;
    }
    Some(inverses)
}

impl Mul for Fp {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let mut product = blst_fp::default();
        // SAFETY: all are living values.
        unsafe { blst_fp_mul(&mut product, &self.0, &other.0) };
        Self(product)
    }
}

impl Add for Fp {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let mut sum = blst_fp::default();
        // SAFETY: all are living values.
        unsafe { blst_fp_add(&mut sum, &self.0, &other.0) };
        Self(sum)
    }
}

impl Sub for Fp {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let mut difference = blst_fp::default();
        // SAFETY: all are living values.
        unsafe { blst_fp_sub(&mut difference, &self.0, &other.0) };
        Self(difference)
    }
}
