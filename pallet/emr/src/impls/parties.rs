//! Organisations, patients and encryption keys.

use alloc::vec::Vec;
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
		let operators = ascending(operators).ok_or(Error::<T>::DuplicateOperator)?;
		let ticket =
			T::OrganisationConsideration::new(&organisation, Self::organisation_footprint(0))?;

		let entry = Organisation {
			operators: operators.clone(),
			emergency: Default::default(),
			tombstones: 0,
			ticket,
		};
		Organisations::<T>::insert(&organisation, entry);
		Self::deposit_event(Event::OrganisationRegistered { organisation: organisation.clone() });
		Self::deposit_event(Event::OperatorsSet { organisation, operators });
		Ok(())
	}

	pub(crate) fn do_set_operators(
		organisation: T::AccountId,
		operators: Operators<T>,
	) -> DispatchResult {
		let mut entry = Self::organisation(&organisation)?;
		entry.operators = ascending(operators).ok_or(Error::<T>::DuplicateOperator)?;

		Organisations::<T>::insert(&organisation, &entry);
		Self::deposit_event(Event::OperatorsSet { organisation, operators: entry.operators });
		Ok(())
	}

	pub(crate) fn do_set_emergency_members(
		organisation: T::AccountId,
		members: EmergencyMembers<T>,
	) -> DispatchResult {
		let mut entry = Self::organisation(&organisation)?;
		entry.emergency = ascending(members).ok_or(Error::<T>::DuplicateMember)?;

		Organisations::<T>::insert(&organisation, &entry);
		Self::deposit_event(Event::EmergencyMembersSet { organisation, members: entry.emergency });
		Ok(())
	}

	fn organisation(account: &T::AccountId) -> Result<Organisation<T>, Error<T>> {
		Organisations::<T>::get(account).ok_or(Error::OrganisationUnknown)
	}

	/// What an organisation with `tombstones` tombstones occupies.
	pub(crate) fn organisation_footprint(tombstones: u32) -> Footprint {
		let fixed = Footprint::from_mel::<(T::AccountId, Operators<T>, EmergencyMembers<T>, u32)>();
		let each = RecordId::max_encoded_len() + Tombstone::<T>::max_encoded_len();
		let size = (each as u64).saturating_mul(tombstones.into());
		Footprint { size: fixed.size.saturating_add(size), ..fixed }
	}

	/// Register patients and return how many were good.
	pub(crate) fn do_register_patients(
		organisation: T::AccountId,
		patients: Vec<(PatientId, Option<T::AccountId>)>,
	) -> Result<u32, DispatchError> {
		ensure!(!patients.is_empty(), Error::<T>::BatchEmpty);
		let mut registered = 0u32;
		for (patient, controller) in patients {
			match Self::do_register_patient(&organisation, patient, controller) {
				Ok(()) => registered = registered.saturating_add(1),
				Err(reason) => {
					let organisation = organisation.clone();
					Self::deposit_event(Event::PatientRejected { patient, organisation, reason });
				},
			}
		}
		Ok(registered)
	}

	pub(crate) fn do_register_patient(
		organisation: &T::AccountId,
		patient: PatientId,
		controller: Option<T::AccountId>,
	) -> Result<(), RejectReason> {
		ensure!(!Patients::<T>::contains_key(patient), RejectReason::PatientExists);
		let organisation = organisation.clone();
		let controller = controller.unwrap_or_else(|| organisation.clone());
		let footprint =
			Footprint::from_mel::<(PatientId, T::AccountId, T::AccountId, Option<T::AccountId>)>();
		let ticket = T::PatientConsideration::new(&organisation, footprint)
			.map_err(|_| RejectReason::DepositUnpayable)?;

		let entry = Patient {
			organisation: organisation.clone(),
			controller: controller.clone(),
			offered_to: None,
			ticket,
		};
		Patients::<T>::insert(patient, entry);
		Self::deposit_event(Event::PatientRegistered { patient, organisation, controller });
		Ok(())
	}

	pub(crate) fn do_offer_patient(
		who: &T::AccountId,
		patient: PatientId,
		to: T::AccountId,
	) -> DispatchResult {
		let mut entry = Self::controlled(who, Scope::Patient(patient))?.1;
		entry.offered_to = Some(to.clone());

		Patients::<T>::insert(patient, &entry);
		let organisation = entry.organisation;
		Self::deposit_event(Event::PatientOffered { patient, organisation, to });
		Ok(())
	}

	pub(crate) fn do_claim_patient(who: T::AccountId, patient: PatientId) -> DispatchResult {
		let mut entry = Patients::<T>::get(patient).ok_or(Error::<T>::PatientUnknown)?;
		ensure!(entry.offered_to.as_ref() == Some(&who), Error::<T>::NotOffered);
		entry.offered_to = None;
		entry.controller = who.clone();

		Patients::<T>::insert(patient, &entry);
		let organisation = entry.organisation;
		Self::deposit_event(Event::PatientClaimed { patient, organisation, controller: who });
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

/// The accounts in ascending order, unless one stands twice.
fn ascending<A: Ord, Bound: Get<u32>>(
	mut accounts: BoundedVec<A, Bound>,
) -> Option<BoundedVec<A, Bound>> {
	accounts.sort();
	let repeated = accounts.windows(2).any(|pair| pair[0] == pair[1]);
	(!repeated).then_some(accounts)
}
