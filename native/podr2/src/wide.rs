//! Sums of products of integers, reduced once at their end.

/// 256 bits, least significant limb first.
pub(crate) type Limbs = [u64; 4];

/// Read up to 32 bytes, little-endian; what is missing is zero.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> Limbs {
    let mut padded = [0; 32];
    padded[..bytes.len()].copy_from_slice(bytes);
    let mut limbs = [0; 4];
    for (limb, eight) in limbs.iter_mut().zip(padded.chunks_exact(8)) {
        *limb = u64::from_le_bytes(eight.try_into().expect("eight bytes, qed"));
    }
    limbs
}

/// A sum of products; `N` limbs hold the largest that comes up.
#[derive(Clone, Copy)]
pub(crate) struct Sum<const N: usize>([u64; N]);

impl<const N: usize> Sum<N> {
    pub(crate) const ZERO: Self = Self([0; N]);

    /// Add `left * right`, where `left` has `M` limbs.
    #[inline]
    pub(crate) fn add_product<const M: usize>(&mut self, left: &[u64; M], right: &Limbs) {
        for (shift, factor) in left.iter().enumerate() {
            let mut carry = 0;
            for (place, limb) in right.iter().enumerate() {
                let (low, high) = multiply_add(*factor, *limb, self.0[shift + place], carry);
                self.0[shift + place] = low;
                carry = high;
            }
            self.carry(shift + right.len(), carry);
        }
    }

    #[inline]
    fn carry(&mut self, from: usize, mut carry: u64) {
        for limb in &mut self.0[from..] {
            let (sum, over) = limb.overflowing_add(carry);
            *limb = sum;
            carry = u64::from(over);
        }
        debug_assert_eq!(carry, 0, "the sum has room");
    }

    /// The sum as bytes, little-endian.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|limb| limb.to_le_bytes()).collect()
    }
}

#[inline]
fn multiply_add(left: u64, right: u64, addend: u64, carry: u64) -> (u64, u64) {
    let sum = u128::from(left) * u128::from(right) + u128::from(addend) + u128::from(carry);
    (sum as u64, (sum >> 64) as u64)
}
