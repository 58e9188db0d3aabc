//! What must hold of the storage after every block, and is checked after every unit test.

use frame_support::{ensure, traits::Get};
use sp_runtime::TryRuntimeError;

use crate::*;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::check_organisations()?;
		Self::check_patients()?;
		Self::check_objects()?;
		Self::check_records()?;
		Self::check_grants()
	}

	/// 1. Operators stand in ascending order, each once.
	fn check_organisations() -> Result<(), TryRuntimeError> {
		for organisation in Organisations::<T>::iter_values() {
			let ascending = organisation.operators.windows(2).all(|pair| pair[0] < pair[1]);
			ensure!(ascending, "1: operators out of order");
		}
		Ok(())
	}

	/// 2. Every patient belongs to an organisation.
	fn check_patients() -> Result<(), TryRuntimeError> {
		for patient in Patients::<T>::iter_values() {
			let known = Organisations::<T>::contains_key(patient.organisation);
			ensure!(known, "2: patient without organisation");
		}
		Ok(())
	}

	/// 3. An object's `anchored` equals the records that name it, is at least one and at most
	///    its record count.
	fn check_objects() -> Result<(), TryRuntimeError> {
		for (id, object) in Objects::<T>::iter() {
			let named = Records::<T>::iter_values().filter(|record| record.object == id).count();
			ensure!(object.anchored as usize == named, "3: anchored count differs");
			let bounded = object.anchored >= 1 && object.anchored <= object.record_count;
			ensure!(bounded, "3: anchored count out of bounds");
		}
		Ok(())
	}

	/// 4. Every record lies within an existing object, and its patient is known to the custodian.
	fn check_records() -> Result<(), TryRuntimeError> {
		for record in Records::<T>::iter_values() {
			let object = Objects::<T>::get(record.object).ok_or("4: record without object")?;
			let end = record.offset.checked_add(record.length);
			ensure!(end.is_some_and(|end| end <= object.size), "4: record outside object");
			let patient = Patients::<T>::get(record.patient).ok_or("4: record without patient")?;
			ensure!(patient.organisation == object.custodian, "4: foreign patient");
		}
		Ok(())
	}

	/// 5. `GrantCount` equals the grants of each scope, and stays within its bound.
	/// 6. No grant outlives what it covers.
	fn check_grants() -> Result<(), TryRuntimeError> {
		for (scope, _, _) in Grants::<T>::iter() {
			let covered = match scope {
				Scope::Record(record) => Records::<T>::contains_key(record),
				Scope::Patient(patient) => Patients::<T>::contains_key(patient),
			};
			ensure!(covered, "6: grant without scope");
			ensure!(GrantCount::<T>::contains_key(scope), "5: grant without count");
		}
		for (scope, count) in GrantCount::<T>::iter() {
			let grants = Grants::<T>::iter_prefix(scope).count();
			ensure!(count as usize == grants, "5: grant count differs");
			let bounded = count > 0 && count <= T::MaxGrantsPerScope::get();
			ensure!(bounded, "5: grant count out of bounds");
		}
		Ok(())
	}
}
