//! Requests for access.

use caregrid_expiry::DueBlock;
use frame_support::{
	ensure,
	pallet_prelude::*,
	traits::{Consideration, Footprint},
};
use frame_system::pallet_prelude::BlockNumberFor;

use super::access::Ended;
use crate::*;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_request_access(
		requester: T::AccountId,
		record: RecordId,
		purpose: Purpose,
		expires_at: BlockNumberFor<T>,
	) -> DispatchResult {
		let (patient, entry) = Self::patient_of(Scope::Record(record))?;
		Self::check_expiry(expires_at, T::MaxRequestDuration::get())?;
		let item = Expirable::Request(record, requester.clone());
		let ticket = match AccessRequests::<T>::get(record, &requester) {
			Some(old) => {
				Expiries::<T>::remove(DueBlock::new(old.expires_at), &item);
				old.ticket
			},
			None => T::RequestConsideration::new(&requester, request_footprint::<T>())?,
		};

		Expiries::<T>::insert(DueBlock::new(expires_at), item, ());
		let custodian = entry.organisation.clone();
		let request = AccessRequest { purpose, expires_at, custodian, ticket };
		AccessRequests::<T>::insert(record, &requester, request);
		Self::deposit_event(Event::AccessRequested {
			record,
			requester,
			purpose,
			expires_at,
			patient,
			controller: entry.controller,
			custodian: entry.organisation,
		});
		Ok(())
	}

	pub(crate) fn do_deny_request(
		who: &T::AccountId,
		record: RecordId,
		requester: T::AccountId,
	) -> DispatchResult {
		let (_, entry) = Self::controlled(who, Scope::Record(record))?;
		let now = frame_system::Pallet::<T>::block_number();
		let stands = AccessRequests::<T>::get(record, &requester)
			.is_some_and(|request| request.is_live(now));
		ensure!(stands, Error::<T>::RequestUnknown);
		Self::drop_request(record, &requester)?;
		let custodian = entry.organisation;
		Self::deposit_event(Event::RequestDenied { record, requester, custodian });
		Ok(())
	}

	/// Remove a request if there is one, its entry in the index, and its deposit; return its expiry
	/// and custodian.
	pub(crate) fn drop_request(
		record: RecordId,
		requester: &T::AccountId,
	) -> Result<Option<Ended<T>>, DispatchError> {
		let Some(request) = AccessRequests::<T>::take(record, requester) else { return Ok(None) };
		let item = Expirable::Request(record, requester.clone());
		Expiries::<T>::remove(DueBlock::new(request.expires_at), item);
		request.ticket.drop(requester)?;
		Ok(Some(Ended { expires_at: request.expires_at, custodian: request.custodian }))
	}
}

fn request_footprint<T: Config>() -> Footprint {
	Footprint::from_mel::<(
		RecordId,
		T::AccountId,
		T::AccountId,
		Purpose,
		BlockNumberFor<T>,
		DueBlock,
		Expirable<T::AccountId>,
	)>()
}
