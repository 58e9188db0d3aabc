//! Organisations, patients and encryption keys.

use frame_support::{
	ensure,
	pallet_prelude::*,
	traits::{Consideration, Footprint},
};

use crate::*;

impl<T: Config> Pallet<T> {
	/// Whether `who` is the organisation or one of its operators.
	pub fn is_operator(organisation: &T::AccountId, who: &T::AccountId) -> bool {
		Self::ensure_operator(organisation, who).is_ok()
	}

	pub(crate) fn ensure_operator(
		organisation: &T::AccountId,
		who: &T::AccountId,
	) -> Result<(), Error<T>> {
		let entry = Organisations::<T>::get(organisation).ok_or(Error::OrganisationUnknown)?;
		let acts = who == organisation || entry.operators.binary_search(who).is_ok();
		acts.then_some(()).ok_or(Error::NotOperator)
	}

	pub(crate) fn do_register_organisation(
		organisation: T::AccountId,
		operators: Operators<T>,
	) -> DispatchResult {
		ensure!(!Organisations::<T>::contains_key(&organisation), Error::<T>::OrganisationExists);
		let operators = Self::sorted(operators)?;
		let footprint = Footprint::from_mel::<(T::AccountId, Operators<T>)>();
		let ticket = T::OrganisationConsideration::new(&organisation, footprint)?;

		Organisations::<T>::insert(
			&organisation,
			Organisation { operators: operators.clone(), ticket },
		);
		Self::deposit_event(Event::OrganisationRegistered { organisation: organisation.clone() });
		Self::deposit_event(Event::OperatorsSet { organisation, operators });
		Ok(())
	}

	pub(crate) fn do_set_operators(
		organisation: T::AccountId,
		operators: Operators<T>,
	) -> DispatchResult {
		let mut entry =
			Organisations::<T>::get(&organisation).ok_or(Error::<T>::OrganisationUnknown)?;
		entry.operators = Self::sorted(operators)?;

		Organisations::<T>::insert(&organisation, &entry);
		Self::deposit_event(Event::OperatorsSet { organisation, operators: entry.operators });
		Ok(())
	}

	fn sorted(mut operators: Operators<T>) -> Result<Operators<T>, Error<T>> {
		operators.sort();
		let repeated = operators.windows(2).any(|pair| pair[0] == pair[1]);
		(!repeated).then_some(operators).ok_or(Error::DuplicateOperator)
	}

	pub(crate) fn do_register_patient(
		organisation: T::AccountId,
		patient: PatientId,
		controller: Option<T::AccountId>,
	) -> DispatchResult {
		ensure!(!Patients::<T>::contains_key(patient), Error::<T>::PatientExists);
		let controller = controller.unwrap_or_else(|| organisation.clone());
		let footprint = Footprint::from_mel::<(PatientId, T::AccountId, T::AccountId)>();
		let ticket = T::PatientConsideration::new(&organisation, footprint)?;

		Patients::<T>::insert(
			patient,
			Patient { organisation: organisation.clone(), controller: controller.clone(), ticket },
		);
		Self::deposit_event(Event::PatientRegistered { patient, organisation, controller });
		Ok(())
	}

	pub(crate) fn do_set_encryption_key(
		account: T::AccountId,
		public: EncryptionPublicKey,
	) -> DispatchResult {
		let footprint = Footprint::from_mel::<(T::AccountId, EncryptionPublicKey, u32)>();
		let (version, ticket) = match EncryptionKeys::<T>::get(&account) {
			Some(old) => (old.version.saturating_add(1), old.ticket.update(&account, footprint)?),
			None => (1, T::KeyConsideration::new(&account, footprint)?),
		};

		EncryptionKeys::<T>::insert(&account, EncryptionKey { public, version, ticket });
		Self::deposit_event(Event::EncryptionKeySet { account, version });
		Ok(())
	}
}
