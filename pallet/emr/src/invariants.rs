//! What must hold of the storage after every block, and is checked after every unit test.

use caregrid_expiry::DueBlock;
use frame_support::{ensure, traits::GetStorageVersion};
use sp_runtime::TryRuntimeError;

use crate::*;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::check_version()?;
		Self::check_organisations()?;
		Self::check_patients()?;
		Self::check_objects()?;
		Self::check_records()?;
		Self::check_grants()?;
		Self::check_expiries()
	}

	/// 1. The storage has the version that this code knows.
	fn check_version() -> Result<(), TryRuntimeError> {
		let known = Self::on_chain_storage_version() == Self::in_code_storage_version();
		ensure!(known, "1: unknown storage version");
		Ok(())
	}

	/// 2. Operators and emergency members stand in ascending order, each once.
	/// 3. An organisation's `tombstones` equals the erased records that name it.
	fn check_organisations() -> Result<(), TryRuntimeError> {
		for (account, organisation) in Organisations::<T>::iter() {
			let Organisation { operators, emergency, tombstones, .. } = organisation;
			ensure!(operators.windows(2).all(|pair| pair[0] < pair[1]), "2: operators unordered");
			ensure!(emergency.windows(2).all(|pair| pair[0] < pair[1]), "2: members unordered");
			let buried = Records::<T>::iter_values()
				.filter(
					|entry| matches!(entry, RecordEntry::Erased(left) if left.custodian == account),
				)
				.count();
			ensure!(tombstones as usize == buried, "3: tombstones differ");
		}
		Ok(())
	}

	/// 4. Every patient belongs to an organisation.
	fn check_patients() -> Result<(), TryRuntimeError> {
		for patient in Patients::<T>::iter_values() {
			let known = Organisations::<T>::contains_key(patient.organisation);
			ensure!(known, "4: patient without organisation");
		}
		Ok(())
	}

	/// 5. An object's `anchored` equals the live records that name it, is at least one, and with
	///    the erased ones at most its record count. Its custodian is an organisation.
	fn check_objects() -> Result<(), TryRuntimeError> {
		for (id, object) in Objects::<T>::iter() {
			let named = Records::<T>::iter_values()
				.filter_map(RecordEntry::live)
				.filter(|record| record.object == id)
				.count();
			ensure!(object.anchored as usize == named, "5: anchored count differs");
			let used = object.anchored.saturating_add(object.erased);
			let bounded = object.anchored >= 1 && used <= object.record_count;
			ensure!(bounded, "5: record counts out of bounds");
			let known = Organisations::<T>::contains_key(object.custodian);
			ensure!(known, "5: custodian unknown");
		}
		Ok(())
	}

	/// 6. Every live record lies within an existing object, its patient is known to the custodian,
	///    and the patient's list has it and nothing else.
	fn check_records() -> Result<(), TryRuntimeError> {
		let mut live = 0usize;
		for (id, entry) in Records::<T>::iter() {
			let Some(record) = entry.live() else { continue };
			let object = Objects::<T>::get(record.object).ok_or("6: record without object")?;
			let end = record.offset.checked_add(record.length);
			ensure!(end.is_some_and(|end| end <= object.size), "6: record outside object");
			let patient = Patients::<T>::get(record.patient).ok_or("6: record without patient")?;
			ensure!(patient.organisation == object.custodian, "6: foreign patient");
			let listed = PatientRecords::<T>::contains_key(record.patient, id);
			ensure!(listed, "6: record not listed");
			live = live.saturating_add(1);
		}
		ensure!(PatientRecords::<T>::iter_keys().count() == live, "6: lists and records differ");
		Ok(())
	}

	/// 7. `GrantCount` equals the grants of each scope, and stays within its bound.
	/// 8. No grant outlives what it covers, and each names the organisation that answers for it.
	fn check_grants() -> Result<(), TryRuntimeError> {
		for (scope, _, grant) in Grants::<T>::iter() {
			let (_, patient) = Self::patient_of(scope).map_err(|_| "8: grant without scope")?;
			ensure!(grant.custodian == patient.organisation, "8: foreign custodian");
			ensure!(GrantCount::<T>::contains_key(scope), "7: grant without count");
		}
		for (scope, count) in GrantCount::<T>::iter() {
			let grants = Grants::<T>::iter_key_prefix(scope).count();
			ensure!(count as usize == grants, "7: grant count differs");
			ensure!(count > 0 && count <= Self::most_grants(), "7: grant count out of bounds");
		}
		Ok(())
	}

	/// 9. Every grant and request is indexed under its expiry, and the index has nothing else.
	/// 10. What is indexed stands behind the cursor.
	fn check_expiries() -> Result<(), TryRuntimeError> {
		let grants = Grants::<T>::iter().map(|(scope, grantee, grant)| {
			(DueBlock::new(grant.expires_at), Expirable::Grant(scope, grantee))
		});
		let requests = AccessRequests::<T>::iter().map(|(record, requester, request)| {
			(DueBlock::new(request.expires_at), Expirable::Request(record, requester))
		});
		let mut expected = 0usize;
		for (due, item) in grants.chain(requests) {
			ensure!(Expiries::<T>::contains_key(due, item), "9: not indexed");
			expected = expected.saturating_add(1);
		}
		ensure!(Expiries::<T>::iter_keys().count() == expected, "9: index and entries differ");
		if let Some((due, item)) = ExpiryCursor::<T>::get() {
			let cursor = Expiries::<T>::hashed_key_for(due, item);
			let behind = Expiries::<T>::iter_keys()
				.all(|(due, item)| Expiries::<T>::hashed_key_for(due, item) > cursor);
			ensure!(behind, "10: indexed before the cursor");
		}
		Ok(())
	}
}
