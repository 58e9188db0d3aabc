//! What calls cost.
//!
//! These figures are estimates from the storage items that each call touches; measured ones
//! replace them with the benchmarks. They are deliberately high.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Weight of each call.
pub trait WeightInfo {
	/// One network, with full lists in its way.
	fn block_ip() -> Weight;
	/// `n` expired networks.
	fn cleanup_expired_blocks(n: u32) -> Weight;
	/// One signature of the greatest length.
	fn register_signature() -> Weight;
}

/// Execution time of a call without its storage access, in picoseconds.
const BASE: u64 = 40_000_000;
/// Execution time of each item of a list, in picoseconds.
const ITEM: u64 = 15_000_000;
/// Upper bound of the storage proof of one item, in bytes.
const PROOF: u64 = 16_000;

/// Estimates on the database of `T`.
pub struct Estimate<T>(PhantomData<T>);

impl<T: frame_system::Config> Estimate<T> {
	fn of(items: u64, reads: u64, writes: u64) -> Weight {
		Weight::from_parts(BASE + ITEM.saturating_mul(items), PROOF.saturating_mul(reads))
			.saturating_add(T::DbWeight::get().reads_writes(reads, writes))
	}
}

impl<T: frame_system::Config> WeightInfo for Estimate<T> {
	fn block_ip() -> Weight {
		Self::of(17, 22, 5)
	}
	fn cleanup_expired_blocks(n: u32) -> Weight {
		let n = u64::from(n);
		Self::of(n, 1 + 4 * n, 4 * n)
	}
	fn register_signature() -> Weight {
		Self::of(1, 4, 3)
	}
}
