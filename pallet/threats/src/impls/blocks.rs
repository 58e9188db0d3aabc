//! Blocked networks and their clean-up.

use alloc::vec::Vec;
use frame_support::{
	defensive, ensure,
	pallet_prelude::*,
	traits::{Consideration, Footprint},
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::Saturating;

use crate::*;

/// How often a network is listed later because a list is full; each step doubles the distance.
const LISTING_ATTEMPTS: u32 = 16;

impl<T: Config> Pallet<T> {
	/// Whether any organisation blocks exactly this network now.
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

		let ticket = match Blocks::<T>::take(net, &organisation) {
			Some(old) => {
				Self::unlist(old.due, net, &organisation);
				old.ticket
			},
			None => {
				let footprint = Footprint::from_mel::<(IpNet, T::AccountId, DueBlock)>();
				T::BlockConsideration::new(&organisation, footprint)?
			},
		};
		let due = Self::list(expires_at, net, &organisation)?;
		Blocks::<T>::insert(net, &organisation, IpBlock { reason, expires_at, due, ticket });
		Self::deposit_event(Event::IpBlocked { net, organisation, reason, expires_at });
		Ok(())
	}

	fn check_expiry(expires_at: BlockNumberFor<T>) -> Result<(), Error<T>> {
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(expires_at > now, Error::ExpiryInPast);
		let latest = now.saturating_add(T::MaxBlockDuration::get());
		ensure!(expires_at <= latest, Error::ExpiryTooFar);
		Ok(())
	}

	/// Remove up to `limit` expired blocks and return how many there were.
	pub(crate) fn do_cleanup(limit: u32) -> Result<u32, DispatchError> {
		ensure!((1..=T::MaxCleanup::get()).contains(&limit), Error::<T>::LimitInvalid);
		let due = Self::due(limit);
		let removed = due.len() as u32;
		for (list, net, organisation) in due {
			Self::remove_expired(list, net, organisation)?;
		}
		Ok(removed)
	}

	fn due(limit: u32) -> Vec<(DueBlock, IpNet, T::AccountId)> {
		let now = DueBlock::new(frame_system::Pallet::<T>::block_number());
		Expiries::<T>::iter()
			.take_while(|(due, _)| *due <= now)
			.flat_map(|(due, list)| list.into_iter().map(move |(net, who)| (due, net, who)))
			.take(limit as usize)
			.collect()
	}

	fn remove_expired(due: DueBlock, net: IpNet, organisation: T::AccountId) -> DispatchResult {
		Self::unlist(due, net, &organisation);
		let Some(block) = Blocks::<T>::take(net, &organisation) else {
			defensive!("a listed network is blocked");
			return Ok(());
		};
		block.ticket.drop(&organisation)?;
		Self::deposit_event(Event::IpBlockExpired { net, organisation });
		Ok(())
	}

	/// List a network for clean-up at its expiry, or later where that list is full.
	fn list(
		expires_at: BlockNumberFor<T>,
		net: IpNet,
		organisation: &T::AccountId,
	) -> Result<DueBlock, Error<T>> {
		let first = DueBlock::new(expires_at);
		let later = (0..LISTING_ATTEMPTS).map(|step| first.later(1 << step));
		core::iter::once(first)
			.chain(later)
			.find(|due| {
				Expiries::<T>::try_mutate(due, |list| list.try_push((net, organisation.clone())))
					.is_ok()
			})
			.ok_or(Error::ExpiriesFull)
	}

	fn unlist(due: DueBlock, net: IpNet, organisation: &T::AccountId) {
		Expiries::<T>::mutate_exists(due, |slot| {
			let Some(list) = slot else {
				defensive!("a blocked network is listed");
				return;
			};
			list.retain(|(listed, who)| (listed, who) != (&net, organisation));
			if list.is_empty() {
				*slot = None;
			}
		});
	}
}
