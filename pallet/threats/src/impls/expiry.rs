//! Clean-up of blocks that have expired, by a call and by idle blocks.

use caregrid_expiry::DueBlock;
use frame_support::{
	defensive, ensure,
	traits::{Consideration, Defensive, Get},
	weights::{Weight, WeightMeter},
};

use crate::*;

impl<T: Config> Pallet<T> {
	/// Remove up to `limit` expired blocks and return how many there were.
	pub(crate) fn do_cleanup(limit: u32) -> Result<u32, Error<T>> {
		ensure!((1..=T::MaxCleanup::get()).contains(&limit), Error::LimitInvalid);
		let removed = Self::remove_expired(Self::due().take(limit as usize));
		if removed < limit {
			DrainedAt::<T>::put(frame_system::Pallet::<T>::block_number());
		}
		Ok(removed)
	}

	/// Remove expired blocks as far as `remaining` goes, and return the weight that it took.
	pub(crate) fn do_idle(remaining: Weight) -> Weight {
		let mut meter = WeightMeter::with_limit(remaining);
		let base = T::WeightInfo::on_idle(0);
		if meter.try_consume(base).is_err() {
			return meter.consumed();
		}
		// The base pays for one look that removes nothing: because nothing is due, or because the
		// weight is used up.
		let each = T::WeightInfo::on_idle(1).saturating_sub(base);
		let affordable = Self::due()
			.take(T::MaxCleanup::get() as usize)
			.take_while(|_| meter.try_consume(each).is_ok());
		Self::remove_expired(affordable);
		meter.consumed()
	}

	/// What has expired, the earliest first. What was returned may be removed meanwhile.
	fn due() -> impl Iterator<Item = ExpiryKey<T>> {
		let now = frame_system::Pallet::<T>::block_number();
		let keys = (DrainedAt::<T>::get() != Some(now)).then(|| match ExpiryCursor::<T>::get() {
			Some((due, key)) => {
				Expiries::<T>::iter_keys_from(Expiries::<T>::hashed_key_for(due, key))
			},
			None => Expiries::<T>::iter_keys(),
		});
		keys.into_iter().flatten().take_while(move |(due, _)| *due <= DueBlock::new(now))
	}

	/// Remove what is listed under these keys, move the cursor behind it, and return the number.
	fn remove_expired(keys: impl Iterator<Item = ExpiryKey<T>>) -> u32 {
		let mut removed = 0u32;
		let last = keys
			.inspect(|(due, key)| {
				Self::remove_one(*due, key);
				removed = removed.saturating_add(1);
			})
			.last();
		if let Some(last) = last {
			ExpiryCursor::<T>::put(last);
		}
		removed
	}

	fn remove_one(due: DueBlock, key: &(IpNet, T::AccountId)) {
		Expiries::<T>::remove(due, key);
		let (net, organisation) = key;
		let Some(block) = Blocks::<T>::take(net, organisation) else {
			defensive!("every key of the index names a block");
			return;
		};
		// The block goes in any case: one that stayed would stop all those behind it.
		let _ = block.ticket.drop(organisation).defensive_proof("a deposit can be given back");
		Self::deposit_event(Event::IpBlockExpired {
			net: *net,
			organisation: organisation.clone(),
			expires_at: block.expires_at,
		});
	}
}
