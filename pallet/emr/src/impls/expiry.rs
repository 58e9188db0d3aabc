//! What has expired is removed: by anybody who names it, or by a block's idle time.

use alloc::vec::Vec;
use caregrid_expiry::DueBlock;
use frame_support::{defensive, ensure, pallet_prelude::*, weights::WeightMeter};

use super::access::Ended;
use crate::*;

impl<T: Config> Pallet<T> {
	/// Remove those of the items that are due and return how many they were.
	pub(crate) fn do_purge_expired(
		items: Vec<Expirable<T::AccountId>>,
	) -> Result<u32, DispatchError> {
		ensure!(!items.is_empty(), Error::<T>::BatchEmpty);
		let mut removed = 0u32;
		for item in items {
			match Self::check_due(&item) {
				Ok(()) => {
					Self::remove_expired(item)?;
					removed = removed.saturating_add(1);
				},
				Err(reason) => Self::deposit_event(Event::PurgeRejected { item, reason }),
			}
		}
		Ok(removed)
	}

	fn check_due(item: &Expirable<T::AccountId>) -> Result<(), RejectReason> {
		let now = frame_system::Pallet::<T>::block_number();
		let is_due = match item {
			Expirable::Grant(scope, grantee) => {
				let grant = Grants::<T>::get(scope, grantee).ok_or(RejectReason::GrantUnknown)?;
				!grant.is_live(now)
			},
			Expirable::Request(record, requester) => {
				let request = AccessRequests::<T>::get(record, requester)
					.ok_or(RejectReason::RequestUnknown)?;
				!request.is_live(now) || Self::live_record(*record).is_err()
			},
		};
		is_due.then_some(()).ok_or(RejectReason::NotDue)
	}

	fn remove_expired(item: Expirable<T::AccountId>) -> DispatchResult {
		match item {
			Expirable::Grant(scope, grantee) => {
				let Ended { expires_at, custodian } = Self::drop_grant(scope, &grantee)?;
				Self::deposit_event(Event::AccessExpired { scope, grantee, expires_at, custodian });
			},
			Expirable::Request(record, requester) => {
				let Ended { expires_at, custodian } =
					Self::drop_request(record, &requester)?.ok_or(Error::<T>::RequestUnknown)?;
				Self::deposit_event(Event::RequestExpired {
					record,
					requester,
					expires_at,
					custodian,
				});
			},
		}
		Ok(())
	}

	/// Remove what is due, the earliest first, as far as the meter and `MaxBatch` allow.
	pub(crate) fn drain_expired(meter: &mut WeightMeter) {
		let base = T::WeightInfo::on_idle(0);
		let each = T::WeightInfo::on_idle(1).saturating_sub(base);
		if meter.try_consume(base).is_err() {
			return;
		}
		let affordable = meter.remaining().checked_div_per_component(&each).unwrap_or(u64::MAX);
		let due = Self::due(affordable.min(T::MaxBatch::get().into()) as usize);
		meter.consume(each.saturating_mul(due.len() as u64));
		if let Some(last) = due.last() {
			ExpiryCursor::<T>::put(last);
		}
		for (_, item) in due {
			// Only a broken deposit could fail; what was indexed would be left for `purge_expired`.
			if Self::remove_expired(item).is_err() {
				defensive!("what is indexed can be removed");
			}
		}
	}

	/// Up to `most` entries of the index that are due, the earliest first.
	fn due(most: usize) -> Vec<(DueBlock, Expirable<T::AccountId>)> {
		let now = DueBlock::new(frame_system::Pallet::<T>::block_number());
		let entries = match ExpiryCursor::<T>::get() {
			Some((due, item)) => {
				Expiries::<T>::iter_keys_from(Expiries::<T>::hashed_key_for(due, item))
			},
			None => Expiries::<T>::iter_keys(),
		};
		entries.take(most).take_while(|(due, _)| *due <= now).collect()
	}
}
