//! What CareGrid's pallets share about things that expire.
//!
//! Each pallet keeps an index of what expires: a double map from [`DueBlock`] and the thing's key
//! to nothing. A due block's encoding sorts as its number does, so that iteration under the
//! `Identity` hasher finds the earliest first; and no bucket can be full.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_runtime::traits::UniqueSaturatedInto;

/// A block number whose encoding (8 bytes, big-endian) sorts as the number does.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct DueBlock([u8; 8]);

impl DueBlock {
	/// The key of a block number.
	pub fn new(number: impl UniqueSaturatedInto<u64>) -> Self {
		Self(number.unique_saturated_into().to_be_bytes())
	}

	/// The block number.
	pub fn number(self) -> u64 {
		u64::from_be_bytes(self.0)
	}
}

/// Whether a clean-up was useful enough to be free of fee: at least 90 % of what it was given was
/// due.
pub fn mostly_due(removed: u32, given: u32) -> bool {
	removed > 0 && u64::from(removed) * 10 >= u64::from(given) * 9
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn due_blocks_sort_as_their_numbers_do() {
		let numbers = [0u64, 1, 255, 256, 65_535, 65_536, u64::MAX];
		let encoded = numbers.map(|number| DueBlock::new(number).encode());
		assert!(encoded.windows(2).all(|pair| pair[0] < pair[1]));
		assert_eq!(numbers, numbers.map(|number| DueBlock::new(number).number()));
	}

	#[test]
	fn a_clean_up_is_free_from_nine_tenths_on() {
		assert!(mostly_due(9, 10) && mostly_due(1, 1));
		assert!(!mostly_due(8, 10) && !mostly_due(0, 0) && !mostly_due(0, 1));
		assert!(!mostly_due(1, u32::MAX));
	}
}
