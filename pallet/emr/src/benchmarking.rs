//! What calls cost, in the worst case of each. `scripts/weights` runs this on the real runtime.

use alloc::{boxed::Box, vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
	BoundedVec, ensure,
	traits::{EnsureOrigin, Get, Hooks},
	weights::Weight,
};
use frame_system::{RawOrigin, pallet_prelude::BlockNumberFor};
use sp_runtime::{Permill, traits::One};

use crate::*;

/// What benchmarks need of the runtime.
pub trait BenchmarkHelper<AccountId> {
	/// Give an account the tokens for any deposit.
	fn endow(account: &AccountId);
}

fn funded<T: Config>(name: &'static str, index: u32) -> T::AccountId {
	let account = account(name, index, 0);
	T::BenchmarkHelper::endow(&account);
	account
}

fn accounts<T: Config, Bound: Get<u32>>(
	name: &'static str,
	count: u32,
) -> BoundedVec<T::AccountId, Bound> {
	let accounts = (0..count).map(|index| funded::<T>(name, index)).collect::<Vec<_>>();
	accounts.try_into().expect("within bound; qed")
}

/// An organisation with full lists, and one of its operators.
fn organisation<T: Config>() -> Result<(T::AccountId, T::AccountId), BenchmarkError> {
	let organisation = funded::<T>("organisation", 0);
	let operators = accounts::<T, _>("operator", T::MaxOperators::get());
	let operator = operators.first().cloned().unwrap_or_else(|| organisation.clone());
	Pallet::<T>::do_register_organisation(organisation.clone(), operators)?;
	let members = accounts::<T, _>("member", T::MaxEmergencyMembers::get());
	Pallet::<T>::do_set_emergency_members(organisation.clone(), members)?;
	Ok((organisation, operator))
}

fn id<const N: usize>(index: u32) -> [u8; N] {
	let mut id = [0; N];
	id[..4].copy_from_slice(&index.to_be_bytes());
	id
}

fn patient<T: Config>(
	organisation: &T::AccountId,
	index: u32,
	controller: Option<T::AccountId>,
) -> Result<PatientId, BenchmarkError> {
	Pallet::<T>::do_register_patient(organisation, id(index), controller)
		.map_err(|_| "no patient")?;
	Ok(id(index))
}

fn pack<T: Config>(index: u32) -> ObjectInfo {
	let record_count = T::MaxRecordsPerObject::get();
	ObjectInfo { id: id(index), size: u64::MAX, record_count, manifest_root: [3; 32] }
}

fn record(index: u32, patient: PatientId) -> RecordInfo {
	RecordInfo {
		id: id(index),
		patient,
		offset: 0,
		length: 1,
		digest: [4; 32],
		format: RecordFormat::FhirR4Json,
	}
}

/// A record of its own patient in an object of its own.
fn stored<T: Config>(
	organisation: &T::AccountId,
	index: u32,
	controller: Option<T::AccountId>,
) -> Result<RecordInfo, BenchmarkError> {
	let info = record(index, patient::<T>(organisation, index, controller)?);
	Pallet::<T>::do_store_one(organisation.clone(), pack::<T>(index), info)?;
	Ok(info)
}

fn inline<T: Config>(grantee: &T::AccountId) -> Result<KeyState, BenchmarkError> {
	if !EncryptionKeys::<T>::contains_key(grantee) {
		Pallet::<T>::do_set_encryption_key(grantee.clone(), [5; 1216])?;
	}
	let wrapped = vec![6; 1168].try_into().expect("1,168 bytes; qed");
	Ok(KeyState::Inline { wrapped, key_version: 1 })
}

fn soon<T: Config>() -> BlockNumberFor<T> {
	// Not the next block: the clock may be put forward by one before the measured call.
	frame_system::Pallet::<T>::block_number() + 10u32.into()
}

fn grant<T: Config>(
	controller: &T::AccountId,
	scope: Scope,
	grantee: &T::AccountId,
	key: KeyState,
) -> Result<(), BenchmarkError> {
	let (purpose, expires_at) = (Purpose::Research, soon::<T>());
	Pallet::<T>::do_grant_access(controller, scope, grantee.clone(), expires_at, purpose, key)
		.map_err(Into::into)
}

/// Expired grants with inline keys, each of another patient and paid by another account.
fn expired<T: Config>(count: u32) -> Result<Vec<Expirable<T::AccountId>>, BenchmarkError> {
	let (organisation, _) = organisation::<T>()?;
	let grantee = funded::<T>("grantee", 0);
	let key = inline::<T>(&grantee)?;
	let mut items = Vec::new();
	for index in 0..count {
		let controller = funded::<T>("controller", index);
		let scope = Scope::Patient(patient::<T>(&organisation, index, Some(controller.clone()))?);
		grant::<T>(&controller, scope, &grantee, key.clone())?;
		items.push(Expirable::Grant(scope, grantee.clone()));
	}
	frame_system::Pallet::<T>::set_block_number(soon::<T>());
	Ok(items)
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn register_organisation(
		o: Linear<0, { T::MaxOperators::get() }>,
	) -> Result<(), BenchmarkError> {
		let operators = accounts::<T, _>("operator", o);
		let origin = T::OrganisationOrigin::try_successful_origin().map_err(|_| "no origin")?;
		let organisation =
			T::OrganisationOrigin::ensure_origin(origin.clone()).map_err(|_| "no account")?;
		T::BenchmarkHelper::endow(&organisation);
		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, operators);
		let entry = Organisations::<T>::get(organisation).ok_or("not registered")?;
		assert_eq!(o as usize, entry.operators.len());
		Ok(())
	}

	#[benchmark]
	fn set_operators(o: Linear<0, { T::MaxOperators::get() }>) -> Result<(), BenchmarkError> {
		let (organisation, _) = organisation::<T>()?;
		let operators = accounts::<T, _>("other", o);
		#[extrinsic_call]
		_(RawOrigin::Signed(organisation.clone()), operators);
		let entry = Organisations::<T>::get(organisation).ok_or("not registered")?;
		assert_eq!(o as usize, entry.operators.len());
		Ok(())
	}

	#[benchmark]
	fn set_emergency_members(
		m: Linear<0, { T::MaxEmergencyMembers::get() }>,
	) -> Result<(), BenchmarkError> {
		let (organisation, _) = organisation::<T>()?;
		let members = accounts::<T, _>("other", m);
		#[extrinsic_call]
		_(RawOrigin::Signed(organisation.clone()), members);
		let entry = Organisations::<T>::get(organisation).ok_or("not registered")?;
		assert_eq!(m as usize, entry.emergency.len());
		Ok(())
	}

	#[benchmark]
	fn register_patient() -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let controller = Some(account("controller", 0, 0));
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), organisation, id(0), controller);
		assert!(Patients::<T>::contains_key(id(0)));
		Ok(())
	}

	#[benchmark]
	fn register_patients(p: Linear<1, { T::MaxBatch::get() }>) -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let patients = (0..p)
			.map(|index| (id(index), Some(account("controller", index, 0))))
			.collect::<Vec<_>>()
			.try_into()
			.expect("within bound; qed");
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), organisation, patients);
		assert_eq!(p as usize, Patients::<T>::iter_keys().count());
		Ok(())
	}

	#[benchmark]
	fn offer_patient() -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let patient = patient::<T>(&organisation, 0, None)?;
		let to = account::<T::AccountId>("wallet", 0, 0);
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), patient, to.clone());
		let entry = Patients::<T>::get(patient).ok_or("not registered")?;
		assert_eq!(Some(to), entry.offered_to);
		Ok(())
	}

	#[benchmark]
	fn claim_patient() -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let patient = patient::<T>(&organisation, 0, None)?;
		let wallet = account::<T::AccountId>("wallet", 0, 0);
		Pallet::<T>::do_offer_patient(&operator, patient, wallet.clone())?;
		#[extrinsic_call]
		_(RawOrigin::Signed(wallet.clone()), patient);
		assert_eq!(wallet, Patients::<T>::get(patient).ok_or("not registered")?.controller);
		Ok(())
	}

	#[benchmark]
	fn set_encryption_key() -> Result<(), BenchmarkError> {
		let who = funded::<T>("grantee", 0);
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), Box::new([5; 1216]));
		assert_eq!(1, EncryptionKeys::<T>::get(who).ok_or("not set")?.version);
		Ok(())
	}

	#[benchmark]
	fn store_emr() -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let first = stored::<T>(&organisation, 0, None)?;
		let next = record(1, first.patient);
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), organisation, pack::<T>(0), next);
		assert!(Records::<T>::contains_key(next.id));
		Ok(())
	}

	#[benchmark]
	fn store_emr_batch(r: Linear<1, { T::MaxBatch::get() }>) -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		stored::<T>(&organisation, 0, None)?;
		let mut records = Vec::new();
		for index in 1..=r {
			records.push(record(index, patient::<T>(&organisation, index, None)?));
		}
		let records = records.try_into().expect("within bound; qed");
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), organisation, pack::<T>(0), records);
		assert_eq!(1 + r, Objects::<T>::get(id::<32>(0)).ok_or("no object")?.anchored);
		Ok(())
	}

	/// Each record leaves an object that had no other, and that goes.
	#[benchmark]
	fn move_records(r: Linear<1, { T::MaxBatch::get() }>) -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		stored::<T>(&organisation, 0, None)?;
		let mut records = Vec::new();
		for index in 1..=r {
			records
				.push(RecordInfo { digest: [5; 32], ..stored::<T>(&organisation, index, None)? });
		}
		let records = records.try_into().expect("within bound; qed");
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), organisation, pack::<T>(0), records);
		assert_eq!(1 + r, Objects::<T>::get(id::<32>(0)).ok_or("no object")?.anchored);
		assert_eq!(1, Objects::<T>::iter_keys().count());
		Ok(())
	}

	#[benchmark]
	fn request_access() -> Result<(), BenchmarkError> {
		let (organisation, _) = organisation::<T>()?;
		let record = stored::<T>(&organisation, 0, None)?.id;
		let who = funded::<T>("grantee", 0);
		let expires_at = soon::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), record, Purpose::Research, expires_at);
		assert!(AccessRequests::<T>::contains_key(record, who));
		Ok(())
	}

	/// A request is answered, and a grant replaced that another account has paid.
	#[benchmark]
	fn grant_access() -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let info = stored::<T>(&organisation, 0, None)?;
		let (wallet, grantee) = (funded::<T>("wallet", 0), funded::<T>("grantee", 0));
		let (scope, key) = (Scope::Record(info.id), inline::<T>(&grantee)?);
		grant::<T>(&operator, scope, &grantee, KeyState::Pending)?;
		Pallet::<T>::do_offer_patient(&operator, info.patient, wallet.clone())?;
		Pallet::<T>::do_claim_patient(wallet.clone(), info.patient)?;
		let (purpose, expires_at) = (Purpose::Treatment, soon::<T>() + One::one());
		Pallet::<T>::do_request_access(grantee.clone(), info.id, purpose, soon::<T>())?;
		#[extrinsic_call]
		_(RawOrigin::Signed(wallet.clone()), scope, grantee.clone(), expires_at, purpose, key);
		assert_eq!(wallet, Grants::<T>::get(scope, &grantee).ok_or("no grant")?.payer);
		assert!(!AccessRequests::<T>::contains_key(info.id, grantee));
		Ok(())
	}

	#[benchmark]
	fn deny_request() -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let record = stored::<T>(&organisation, 0, None)?.id;
		let who = funded::<T>("grantee", 0);
		Pallet::<T>::do_request_access(who.clone(), record, Purpose::Research, soon::<T>())?;
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), record, who.clone());
		assert!(!AccessRequests::<T>::contains_key(record, who));
		Ok(())
	}

	#[benchmark]
	fn revoke_access() -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let scope = Scope::Record(stored::<T>(&organisation, 0, None)?.id);
		let grantee = funded::<T>("grantee", 0);
		grant::<T>(&operator, scope, &grantee, inline::<T>(&grantee)?)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), scope, grantee.clone());
		assert!(!Grants::<T>::contains_key(scope, grantee));
		Ok(())
	}

	/// Inline keys for grants of different patients, whose deposits the custodian takes over.
	#[benchmark]
	fn deliver_keys(k: Linear<1, { T::MaxBatch::get() }>) -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let mut keys = Vec::new();
		for index in 0..k {
			let wallet = funded::<T>("wallet", index);
			let grantee = funded::<T>("grantee", index);
			let info = stored::<T>(&organisation, index, Some(wallet.clone()))?;
			let scope = Scope::Record(info.id);
			grant::<T>(&wallet, scope, &grantee, KeyState::Pending)?;
			let key = inline::<T>(&grantee)?;
			keys.push(KeyDelivery { scope, grantee, key });
		}
		let last = keys.last().cloned().ok_or("no key")?;
		let keys = keys.try_into().map_err(|_| "too many")?;
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), organisation.clone(), keys);
		let grant = Grants::<T>::get(last.scope, last.grantee).ok_or("no grant")?;
		assert_eq!((organisation, last.key), (grant.payer, grant.key));
		Ok(())
	}

	/// A grant that the patient pays is replaced.
	#[benchmark]
	fn open_emergency_access() -> Result<(), BenchmarkError> {
		let (organisation, _) = organisation::<T>()?;
		let (wallet, member) = (funded::<T>("wallet", 0), funded::<T>("member", 0));
		let scope = Scope::Record(stored::<T>(&organisation, 0, Some(wallet.clone()))?.id);
		grant::<T>(&wallet, scope, &member, inline::<T>(&member)?)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(member.clone()), scope, EmergencyReason::ThreatToLife);
		assert_eq!(organisation, Grants::<T>::get(scope, member).ok_or("no grant")?.payer);
		Ok(())
	}

	/// One of two records of an object, with grants that carry inline keys.
	#[benchmark]
	fn erase_record(g: Linear<0, { Pallet::<T>::most_grants() }>) -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let info = stored::<T>(&organisation, 0, None)?;
		let second = record(1, info.patient);
		Pallet::<T>::do_store_one(organisation.clone(), pack::<T>(0), second)?;
		let scope = Scope::Record(info.id);
		for index in 0..g {
			// Behind the usual bound only emergencies have room.
			let Some(number) = index.checked_sub(T::MaxGrantsPerScope::get()) else {
				let grantee = funded::<T>("grantee", index);
				grant::<T>(&operator, scope, &grantee, inline::<T>(&grantee)?)?;
				continue;
			};
			let (grantee, reason) = (account("member", number, 0), EmergencyReason::ThreatToLife);
			Pallet::<T>::do_open_emergency_access(grantee, scope, reason)?;
		}
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), organisation, info.id);
		assert!(matches!(Records::<T>::get(info.id), Some(RecordEntry::Erased(_))));
		assert_eq!(0, Grants::<T>::iter_keys().count());
		Ok(())
	}

	#[benchmark]
	fn commit_proof() -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		stored::<T>(&organisation, 0, None)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), organisation, id(0), [7; 96], [8; 32]);
		assert!(Objects::<T>::get(id::<32>(0)).ok_or("no object")?.proof.is_some());
		Ok(())
	}

	#[benchmark]
	fn report_storage_health(r: Linear<1, { T::MaxBatch::get() }>) -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let mut reports = Vec::new();
		for index in 0..r {
			stored::<T>(&organisation, index, None)?;
			let health = Permill::one();
			reports.push(HealthReport { object: id(index), health, replicas: 3, nodes: 12 });
		}
		let reports = reports.try_into().expect("within bound; qed");
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), organisation, reports);
		assert!(Objects::<T>::iter_values().all(|object| object.health.is_some()));
		Ok(())
	}

	#[benchmark]
	fn report_integrity(r: Linear<1, { T::MaxBatch::get() }>) -> Result<(), BenchmarkError> {
		let (organisation, operator) = organisation::<T>()?;
		let mut reports = Vec::new();
		for index in 0..r {
			stored::<T>(&organisation, index, None)?;
			Pallet::<T>::do_commit_proof(&organisation, id(index), [7; 96], [8; 32])?;
			reports.push(IntegrityReport {
				object: id(index),
				scheme: ProofScheme::Public,
				outcome: AuditOutcome::Passed,
				challenged_at: soon::<T>(),
				proof_digest: [9; 32],
			});
		}
		let reports = reports.try_into().expect("within bound; qed");
		frame_system::Pallet::<T>::set_block_number(soon::<T>() + One::one());
		#[extrinsic_call]
		_(RawOrigin::Signed(operator), organisation, reports);
		assert!(Objects::<T>::iter_values().all(|object| object.integrity.is_some()));
		Ok(())
	}

	#[benchmark]
	fn purge_expired(i: Linear<1, { T::MaxBatch::get() }>) -> Result<(), BenchmarkError> {
		let items = expired::<T>(i)?.try_into().map_err(|_| "too many")?;
		let anybody = account::<T::AccountId>("anybody", 0, 0);
		#[extrinsic_call]
		_(RawOrigin::Signed(anybody), items);
		ensure!(Expiries::<T>::iter_keys().next().is_none(), "something was left");
		Ok(())
	}

	#[benchmark]
	fn on_idle(n: Linear<0, { T::MaxBatch::get() }>) -> Result<(), BenchmarkError> {
		expired::<T>(n)?;
		let now = frame_system::Pallet::<T>::block_number();
		#[block]
		{
			Pallet::<T>::on_idle(now, Weight::MAX);
		}
		ensure!(Expiries::<T>::iter_keys().next().is_none(), "something was left");
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
