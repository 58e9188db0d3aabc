//! What must hold of the storage after every block, and is checked after every unit test.

use frame_support::ensure;
use sp_runtime::TryRuntimeError;

use crate::*;

impl<T: Config> Pallet<T> {
	/// 1. Every blocked network is canonical, and listed where its entry says, not before its expiry.
	/// 2. No list is empty, and the lists hold as many networks as are blocked.
	pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
		let mut blocks = 0;
		for (net, organisation, block) in Blocks::<T>::iter() {
			ensure!(net.is_canonical(), "1: network not canonical");
			ensure!(block.due >= DueBlock::new(block.expires_at), "1: due before expiry");
			let listed = Expiries::<T>::get(block.due).contains(&(net, organisation));
			ensure!(listed, "1: network not listed");
			blocks += 1;
		}
		let mut listed = 0;
		for list in Expiries::<T>::iter_values() {
			ensure!(!list.is_empty(), "2: empty list");
			listed += list.len();
		}
		ensure!(listed == blocks, "2: lists and blocks differ");
		Ok(())
	}
}
