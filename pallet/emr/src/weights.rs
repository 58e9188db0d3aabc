//! What calls cost.
//!
//! These figures are estimates from the storage items that each call touches; measured ones
//! replace them with the benchmarks. They are deliberately high.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Weight of each call.
pub trait WeightInfo {
	/// `o` operators.
	fn register_organisation(o: u32) -> Weight;
	/// `o` operators.
	fn set_operators(o: u32) -> Weight;
	/// One patient.
	fn register_patient() -> Weight;
	/// One key.
	fn set_encryption_key() -> Weight;
	/// One record.
	fn store_emr() -> Weight;
	/// `r` records.
	fn store_emr_batch(r: u32) -> Weight;
	/// One grant.
	fn grant_access() -> Weight;
	/// One grant.
	fn revoke_access() -> Weight;
}

/// Execution time of a call without its storage access, in picoseconds.
const BASE: u64 = 40_000_000;
/// Execution time of each item of a list, in picoseconds.
const ITEM: u64 = 15_000_000;
/// Upper bound of the storage proof of one item, in bytes.
const PROOF: u64 = 4_000;

/// Estimates on the database of `T`.
pub struct Estimate<T>(PhantomData<T>);

impl<T: frame_system::Config> Estimate<T> {
	fn of(items: u64, reads: u64, writes: u64) -> Weight {
		Weight::from_parts(BASE + ITEM.saturating_mul(items), PROOF.saturating_mul(reads))
			.saturating_add(T::DbWeight::get().reads_writes(reads, writes))
	}
}

impl<T: frame_system::Config> WeightInfo for Estimate<T> {
	fn register_organisation(o: u32) -> Weight {
		Self::of(o.into(), 3, 3)
	}
	fn set_operators(o: u32) -> Weight {
		Self::of(o.into(), 1, 1)
	}
	fn register_patient() -> Weight {
		Self::of(1, 4, 3)
	}
	fn set_encryption_key() -> Weight {
		Self::of(1, 3, 3)
	}
	fn store_emr() -> Weight {
		Self::store_emr_batch(1)
	}
	fn store_emr_batch(r: u32) -> Weight {
		let r = u64::from(r);
		Self::of(r, 4 + 2 * r, 3 + r)
	}
	fn grant_access() -> Weight {
		Self::of(1, 8, 6)
	}
	fn revoke_access() -> Weight {
		Self::of(1, 6, 4)
	}
}
