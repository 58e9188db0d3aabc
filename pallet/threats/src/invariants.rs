//! What must hold of the storage after every block, and is checked after every unit test.
//!
//! That the balance on hold equals the sum of the tickets is checked by the tests' mock: what a
//! ticket cost is not for the pallet to know.

use caregrid_expiry::DueBlock;
use frame_support::{
	ensure,
	traits::{GetStorageVersion, StorageVersion},
};
use sp_runtime::TryRuntimeError;

use crate::*;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::check_version()?;
		Self::check_blocks()?;
		Self::check_index()?;
		Self::check_progress()?;
		Self::check_signatures()
	}

	/// 1. The storage has the version that this code was written for.
	fn check_version() -> Result<(), TryRuntimeError> {
		let known = StorageVersion::get::<Self>() == Self::in_code_storage_version();
		ensure!(known, "1: unknown storage version");
		Ok(())
	}

	/// 2. Every blocked network is canonical.
	/// 3. Every block is listed in the index under its expiry.
	fn check_blocks() -> Result<(), TryRuntimeError> {
		for (net, organisation, block) in Blocks::<T>::iter() {
			ensure!(net.is_canonical(), "2: network not canonical");
			let due = DueBlock::new(block.expires_at);
			let listed = Expiries::<T>::contains_key(due, (net, organisation));
			ensure!(listed, "3: block not listed");
		}
		Ok(())
	}

	/// 4. Everything listed in the index is a block that expires then.
	fn check_index() -> Result<(), TryRuntimeError> {
		for (due, (net, organisation)) in Expiries::<T>::iter_keys() {
			let block = Blocks::<T>::get(net, organisation).ok_or("4: listed without a block")?;
			ensure!(DueBlock::new(block.expires_at) == due, "4: listed at another expiry");
		}
		Ok(())
	}

	/// 5. The cursor is not ahead of the present, and sorts before everything in the index.
	/// 6. In a block that was drained, nothing is due.
	fn check_progress() -> Result<(), TryRuntimeError> {
		let now = frame_system::Pallet::<T>::block_number();
		let first = Expiries::<T>::iter_keys().next();
		if let Some((due, key)) = ExpiryCursor::<T>::get() {
			ensure!(due <= DueBlock::new(now), "5: cursor ahead of the present");
			let cursor = Expiries::<T>::hashed_key_for(due, key);
			let before = first
				.as_ref()
				.is_none_or(|(due, key)| cursor < Expiries::<T>::hashed_key_for(due, key));
			ensure!(before, "5: cursor behind an entry");
		}
		let drained = DrainedAt::<T>::get() == Some(now);
		let nothing_due = first.is_none_or(|(due, _)| due > DueBlock::new(now));
		ensure!(!drained || nothing_due, "6: due in a drained block");
		Ok(())
	}

	/// 7. Every signature has a text.
	fn check_signatures() -> Result<(), TryRuntimeError> {
		let empty = Signatures::<T>::iter_values().any(|signature| signature.pattern.is_empty());
		ensure!(!empty, "7: signature without text");
		Ok(())
	}
}
