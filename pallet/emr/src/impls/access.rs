//! Grants.

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
		let patient = Records::<T>::get(record)?.patient;
		let now = frame_system::Pallet::<T>::block_number();
		[Scope::Record(record), Scope::Patient(patient)]
			.into_iter()
			.filter_map(|scope| Grants::<T>::get(scope, reader))
			.find(|grant| grant.is_live(now))
	}

	pub(crate) fn do_grant_access(
		who: &T::AccountId,
		scope: Scope,
		grantee: T::AccountId,
		expires_at: BlockNumberFor<T>,
		purpose: Purpose,
		key: KeyState,
	) -> DispatchResult {
		let Patient { organisation, controller, .. } = Self::controlled(who, scope)?;
		Self::check_expiry(expires_at)?;
		Self::check_key(&key, &grantee)?;

		let ticket = Self::grant_ticket(scope, &grantee, &controller, &key)?;
		let grant = Grant { expires_at, purpose, key, payer: controller, ticket };
		Grants::<T>::insert(scope, &grantee, grant);
		Self::deposit_event(Event::AccessGranted {
			scope,
			grantee,
			expires_at,
			custodian: organisation,
			purpose,
		});
		Ok(())
	}

	pub(crate) fn do_revoke_access(
		who: &T::AccountId,
		scope: Scope,
		grantee: T::AccountId,
	) -> DispatchResult {
		let patient = Self::controlled(who, scope)?;
		let grant = Grants::<T>::take(scope, &grantee).ok_or(Error::<T>::GrantUnknown)?;
		grant.ticket.drop(&grant.payer)?;
		Self::decrement_count(scope);
		Self::deposit_event(Event::AccessRevoked {
			scope,
			grantee,
			custodian: patient.organisation,
		});
		Ok(())
	}

	/// The patient whom `scope` belongs to, if `who` decides for him.
	fn controlled(who: &T::AccountId, scope: Scope) -> Result<Patient<T>, Error<T>> {
		let id = match scope {
			Scope::Patient(patient) => patient,
			Scope::Record(record) => Records::<T>::get(record).ok_or(Error::RecordUnknown)?.patient,
		};
		let patient = Patients::<T>::get(id).ok_or(Error::PatientUnknown)?;
		let is_controller = *who == patient.controller;
		let unclaimed = patient.controller == patient.organisation;
		let acts = is_controller || (unclaimed && Self::is_operator(&patient.organisation, who));
		acts.then_some(patient).ok_or(Error::NotController)
	}

	fn check_expiry(expires_at: BlockNumberFor<T>) -> Result<(), Error<T>> {
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(expires_at > now, Error::ExpiryInPast);
		let latest = now.saturating_add(T::MaxGrantDuration::get());
		ensure!(expires_at <= latest, Error::ExpiryTooFar);
		Ok(())
	}

	fn check_key(key: &KeyState, grantee: &T::AccountId) -> Result<(), Error<T>> {
		let Some(version) = key.key_version() else { return Ok(()) };
		let present = EncryptionKeys::<T>::get(grantee).ok_or(Error::NoEncryptionKey)?;
		ensure!(present.version == version, Error::EncryptionKeyStale);
		if let KeyState::Inline { wrapped, .. } = key {
			ensure!(wrapped.is_full(), Error::WrappedKeyInvalid);
		}
		Ok(())
	}

	/// Take the deposit for a new grant; one that it replaces is paid back first.
	fn grant_ticket(
		scope: Scope,
		grantee: &T::AccountId,
		payer: &T::AccountId,
		key: &KeyState,
	) -> Result<T::GrantConsideration, DispatchError> {
		let fixed = Footprint::from_mel::<(Scope, T::AccountId, T::AccountId)>();
		let footprint = Footprint { size: fixed.size + key.encoded_size() as u64, ..fixed };
		match Grants::<T>::get(scope, grantee) {
			Some(old) if old.payer == *payer => return old.ticket.update(payer, footprint),
			Some(old) => old.ticket.drop(&old.payer)?,
			None => Self::increment_count(scope)?,
		}
		T::GrantConsideration::new(payer, footprint)
	}

	fn increment_count(scope: Scope) -> Result<(), Error<T>> {
		GrantCount::<T>::try_mutate(scope, |count| {
			ensure!(*count < T::MaxGrantsPerScope::get(), Error::GrantsFull);
			*count = count.saturating_add(1);
			Ok(())
		})
	}

	fn decrement_count(scope: Scope) {
		GrantCount::<T>::mutate_exists(scope, |count| {
			*count = count.and_then(|count| count.checked_sub(1)).filter(|count| *count > 0);
		});
	}
}
