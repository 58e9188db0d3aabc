//! Blocked networks.

use caregrid_expiry::DueBlock;
use frame_support::{
	ensure,
	pallet_prelude::*,
	traits::{Consideration, Footprint},
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::Saturating;

use crate::*;

impl<T: Config> Pallet<T> {
	/// Whether any organisation blocks exactly this network now.
	///
	/// Reads one entry for each organisation that does, so no call should ask.
	pub fn is_blocked(net: &IpNet) -> bool {
		let now = frame_system::Pallet::<T>::block_number();
		Blocks::<T>::iter_prefix_values(net).any(|block| block.is_live(now))
	}

	pub(crate) fn do_block_ip(
		organisation: T::AccountId,
		net: IpNet,
		reason: BlockReason,
		expires_at: BlockNumberFor<T>,
	) -> DispatchResult {
		ensure!(net.is_canonical(), Error::<T>::NetworkInvalid);
		Self::check_expiry(expires_at)?;
		let ticket = match Blocks::<T>::get(net, &organisation) {
			Some(old) => {
				Self::unlist(old.expires_at, net, &organisation);
				old.ticket
			},
			None => T::BlockConsideration::new(&organisation, Self::block_footprint())?,
		};

		Expiries::<T>::insert(DueBlock::new(expires_at), (net, &organisation), ());
		Blocks::<T>::insert(net, &organisation, IpBlock { reason, expires_at, ticket });
		Self::deposit_event(Event::IpBlocked { net, organisation, reason, expires_at });
		Ok(())
	}

	pub(crate) fn do_unblock_ip(organisation: T::AccountId, net: IpNet) -> DispatchResult {
		let block = Blocks::<T>::get(net, &organisation).ok_or(Error::<T>::BlockUnknown)?;
		let expires_at = block.expires_at;
		block.ticket.drop(&organisation)?;

		Blocks::<T>::remove(net, &organisation);
		Self::unlist(expires_at, net, &organisation);
		Self::deposit_event(Event::IpUnblocked { net, organisation, expires_at });
		Ok(())
	}

	fn check_expiry(expires_at: BlockNumberFor<T>) -> Result<(), Error<T>> {
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(expires_at > now, Error::ExpiryInPast);
		let latest = now.saturating_add(T::MaxBlockDuration::get());
		ensure!(expires_at <= latest, Error::ExpiryTooFar);
		Ok(())
	}

	/// What a blocked network occupies: its entry, and its place in the expiry index.
	// One item for the two: a linear price multiplies items with bytes.
	pub(crate) fn block_footprint() -> Footprint {
		Footprint::from_mel::<((IpNet, T::AccountId, IpBlock<T>), ExpiryKey<T>)>()
	}

	fn unlist(expires_at: BlockNumberFor<T>, net: IpNet, organisation: &T::AccountId) {
		Expiries::<T>::remove(DueBlock::new(expires_at), (net, organisation));
	}
}
