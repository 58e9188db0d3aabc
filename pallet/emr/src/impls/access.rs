//! Grants: given, read, delivered, withdrawn.

use alloc::vec::Vec;
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
	/// The grant that lets `reader` read `record` now, if there is one.
	///
	/// A grant for the record comes before one for all of the patient's records.
	pub fn live_grant(record: RecordId, reader: &T::AccountId) -> Option<Grant<T>> {
		Self::live_grant_with_scope(record, reader).map(|(_, grant)| grant)
	}

	pub(crate) fn live_grant_with_scope(
		record: RecordId,
		reader: &T::AccountId,
	) -> Option<(Scope, Grant<T>)> {
		let patient = Self::live_record(record).ok()?.patient;
		let now = frame_system::Pallet::<T>::block_number();
		[Scope::Record(record), Scope::Patient(patient)]
			.into_iter()
			.filter_map(|scope| Grants::<T>::get(scope, reader).map(|grant| (scope, grant)))
			.find(|(_, grant)| grant.is_live(now))
	}

	/// The most grants that a scope can have.
	pub(crate) fn most_grants() -> u32 {
		T::MaxGrantsPerScope::get().saturating_add(T::MaxEmergencyMembers::get())
	}

	pub(crate) fn do_grant_access(
		who: &T::AccountId,
		scope: Scope,
		grantee: T::AccountId,
		expires_at: BlockNumberFor<T>,
		purpose: Purpose,
		key: KeyState,
	) -> DispatchResult {
		let (patient, Patient { organisation, controller, .. }) = Self::controlled(who, scope)?;
		Self::check_expiry(expires_at, T::MaxGrantDuration::get())?;
		Self::check_key(&key, &grantee).map_err(Error::<T>::from)?;

		let key_version = key.key_version();
		let custodian = organisation.clone();
		let terms = Terms { expires_at, purpose, key, custodian, payer: controller };
		Self::put_grant(scope, &grantee, terms, T::MaxGrantsPerScope::get())?;
		if let Scope::Record(record) = scope {
			Self::drop_request(record, &grantee)?;
		}
		Self::deposit_event(Event::AccessGranted {
			scope,
			patient,
			grantee,
			expires_at,
			custodian: organisation,
			purpose,
			key_version,
		});
		Ok(())
	}

	pub(crate) fn do_open_emergency_access(
		member: T::AccountId,
		scope: Scope,
		reason: EmergencyReason,
	) -> DispatchResult {
		let (patient, Patient { organisation, controller, .. }) = Self::patient_of(scope)?;
		let entry =
			Organisations::<T>::get(&organisation).ok_or(Error::<T>::OrganisationUnknown)?;
		let is_member = entry.emergency.binary_search(&member).is_ok();
		ensure!(is_member, Error::<T>::NotEmergencyMember);
		let now = frame_system::Pallet::<T>::block_number();
		let expires_at = now.saturating_add(T::EmergencyDuration::get());
		let present = Grants::<T>::get(scope, &member).filter(|grant| grant.is_live(now));
		let lasts_longer = present.as_ref().is_some_and(|grant| grant.expires_at >= expires_at);
		ensure!(!lasts_longer, Error::<T>::AccessLive);

		let terms = Terms {
			expires_at,
			purpose: Purpose::EmergencyTreatment,
			// Who has a key already need not wait for another.
			key: present.map_or(KeyState::Pending, |grant| grant.key),
			custodian: organisation.clone(),
			payer: organisation.clone(),
		};
		Self::put_grant(scope, &member, terms, Self::most_grants())?;
		Self::deposit_event(Event::EmergencyAccessOpened {
			scope,
			patient,
			member,
			reason,
			expires_at,
			custodian: organisation,
			controller,
		});
		Ok(())
	}

	pub(crate) fn do_revoke_access(
		who: &T::AccountId,
		scope: Scope,
		grantee: T::AccountId,
	) -> DispatchResult {
		let (patient, entry) = Self::controlled(who, scope)?;
		Self::drop_grant(scope, &grantee)?;
		let custodian = entry.organisation;
		Self::deposit_event(Event::AccessRevoked { scope, patient, grantee, custodian });
		Ok(())
	}

	/// Deliver keys and return how many were good.
	pub(crate) fn do_deliver_keys(
		custodian: T::AccountId,
		keys: Vec<KeyDelivery<T::AccountId>>,
	) -> Result<u32, DispatchError> {
		ensure!(!keys.is_empty(), Error::<T>::BatchEmpty);
		let mut delivered = 0u32;
		for KeyDelivery { scope, grantee, key } in keys {
			let event = match Self::deliver_key(&custodian, scope, &grantee, key) {
				Ok(key_version) => {
					delivered = delivered.saturating_add(1);
					let custodian = custodian.clone();
					Event::KeyDelivered { scope, grantee, custodian, key_version }
				},
				Err(reason) => Event::KeyRejected { scope, grantee, reason },
			};
			Self::deposit_event(event);
		}
		Ok(delivered)
	}

	fn deliver_key(
		custodian: &T::AccountId,
		scope: Scope,
		grantee: &T::AccountId,
		key: KeyState,
	) -> Result<u32, RejectReason> {
		let key_version = key.key_version().ok_or(RejectReason::KeyMissing)?;
		let mut grant = Grants::<T>::get(scope, grantee).ok_or(RejectReason::GrantUnknown)?;
		let (_, patient) = Self::patient_of(scope).map_err(|_| RejectReason::PatientUnknown)?;
		ensure!(patient.organisation == *custodian, RejectReason::PatientUnknown);
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(grant.is_live(now), RejectReason::GrantExpired);
		Self::check_key(&key, grantee)?;

		if key.paid_len() != grant.key.paid_len() {
			let payer = custodian.clone();
			let footprint = grant_footprint::<T>(&key);
			grant.ticket = Self::moved_ticket(grant.ticket, &grant.payer, &payer, footprint)
				.map_err(|_| RejectReason::DepositUnpayable)?;
			grant.payer = payer;
		}
		grant.key = key;
		Grants::<T>::insert(scope, grantee, grant);
		Ok(key_version)
	}

	/// Remove every grant on a record, and tell of each; returns how many there were.
	pub(crate) fn drop_grants(
		record: RecordId,
		patient: PatientId,
		custodian: &T::AccountId,
	) -> Result<u32, DispatchError> {
		let scope = Scope::Record(record);
		let grantees = Grants::<T>::iter_key_prefix(scope).collect::<Vec<_>>();
		let count = grantees.len() as u32;
		for grantee in grantees {
			Self::drop_grant(scope, &grantee)?;
			let custodian = custodian.clone();
			Self::deposit_event(Event::AccessRevoked { scope, patient, grantee, custodian });
		}
		Ok(count)
	}

	/// Remove a grant, its entry in the index, and its deposit; return its expiry and custodian.
	pub(crate) fn drop_grant(
		scope: Scope,
		grantee: &T::AccountId,
	) -> Result<Ended<T>, DispatchError> {
		let grant = Grants::<T>::take(scope, grantee).ok_or(Error::<T>::GrantUnknown)?;
		let item = Expirable::Grant(scope, grantee.clone());
		Expiries::<T>::remove(DueBlock::new(grant.expires_at), item);
		GrantCount::<T>::mutate_exists(scope, |count| {
			*count = count.and_then(|count| count.checked_sub(1)).filter(|count| *count > 0);
		});
		grant.ticket.drop(&grant.payer)?;
		Ok(Ended { expires_at: grant.expires_at, custodian: grant.custodian })
	}

	/// The patient whom `scope` belongs to.
	pub(crate) fn patient_of(scope: Scope) -> Result<(PatientId, Patient<T>), Error<T>> {
		let id = match scope {
			Scope::Patient(patient) => patient,
			Scope::Record(record) => Self::live_record(record)?.patient,
		};
		Ok((id, Patients::<T>::get(id).ok_or(Error::PatientUnknown)?))
	}

	/// The patient whom `scope` belongs to, if `who` decides for him.
	pub(crate) fn controlled(
		who: &T::AccountId,
		scope: Scope,
	) -> Result<(PatientId, Patient<T>), Error<T>> {
		let (id, patient) = Self::patient_of(scope)?;
		let is_controller = *who == patient.controller;
		let unclaimed = patient.controller == patient.organisation;
		let acts = is_controller || (unclaimed && Self::is_operator(&patient.organisation, who));
		acts.then_some((id, patient)).ok_or(Error::NotController)
	}

	pub(crate) fn check_expiry(
		expires_at: BlockNumberFor<T>,
		longest: BlockNumberFor<T>,
	) -> Result<(), Error<T>> {
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(expires_at > now, Error::ExpiryInPast);
		ensure!(expires_at <= now.saturating_add(longest), Error::ExpiryTooFar);
		Ok(())
	}

	fn check_key(key: &KeyState, grantee: &T::AccountId) -> Result<(), RejectReason> {
		let Some(version) = key.key_version() else { return Ok(()) };
		let present =
			EncryptionKeys::<T>::get(grantee).ok_or(RejectReason::NoEncryptionKey)?.version;
		ensure!(present == version, RejectReason::EncryptionKeyStale);
		if let KeyState::Inline { wrapped, .. } = key {
			ensure!(wrapped.is_full(), RejectReason::WrappedKeyInvalid);
		}
		Ok(())
	}

	/// Write a grant, or replace the one that stands, with deposit and index. A scope has room for
	/// `room` grants.
	fn put_grant(
		scope: Scope,
		grantee: &T::AccountId,
		terms: Terms<T>,
		room: u32,
	) -> DispatchResult {
		let Terms { expires_at, purpose, key, custodian, payer } = terms;
		let footprint = grant_footprint::<T>(&key);
		let item = Expirable::Grant(scope, grantee.clone());
		let ticket = match Grants::<T>::get(scope, grantee) {
			Some(old) => {
				let ticket = Self::moved_ticket(old.ticket, &old.payer, &payer, footprint)?;
				Expiries::<T>::remove(DueBlock::new(old.expires_at), &item);
				ticket
			},
			None => {
				let count = GrantCount::<T>::get(scope);
				ensure!(count < room, Error::<T>::GrantsFull);
				let ticket = T::GrantConsideration::new(&payer, footprint)?;
				GrantCount::<T>::insert(scope, count.saturating_add(1));
				ticket
			},
		};
		Expiries::<T>::insert(DueBlock::new(expires_at), item, ());
		let granted_at = frame_system::Pallet::<T>::block_number();
		Grants::<T>::insert(
			scope,
			grantee,
			Grant { granted_at, expires_at, purpose, key, custodian, payer, ticket },
		);
		Ok(())
	}

	/// A ticket for `footprint` on `to` in place of one on `from`. Nothing changes on an error.
	fn moved_ticket(
		old: T::GrantConsideration,
		from: &T::AccountId,
		to: &T::AccountId,
		footprint: Footprint,
	) -> Result<T::GrantConsideration, DispatchError> {
		if from == to {
			return old.update(to, footprint);
		}
		// First the part that can fail.
		let new = T::GrantConsideration::new(to, footprint)?;
		old.drop(from)?;
		Ok(new)
	}
}

/// What was removed said of itself.
pub(crate) struct Ended<T: Config> {
	pub expires_at: BlockNumberFor<T>,
	pub custodian: T::AccountId,
}

/// What a grant is given on.
struct Terms<T: Config> {
	expires_at: BlockNumberFor<T>,
	purpose: Purpose,
	key: KeyState,
	custodian: T::AccountId,
	payer: T::AccountId,
}

fn grant_footprint<T: Config>(key: &KeyState) -> Footprint {
	let fixed = Footprint::from_mel::<(
		Scope,
		T::AccountId,
		T::AccountId,
		T::AccountId,
		DueBlock,
		Expirable<T::AccountId>,
	)>();
	Footprint { size: fixed.size.saturating_add(key.paid_len() as u64), ..fixed }
}
