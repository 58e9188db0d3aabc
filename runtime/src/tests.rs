//! What outside programs rely on.

use alloc::{boxed::Box, vec, vec::Vec};
use codec::Encode;
use frame_support::traits::InstanceFilter;
use sp_keyring::Sr25519Keyring;
use sp_runtime::traits::TransactionExtension;

use crate::{configs::ProxyType, *};

/// Python can sign only these extensions, in this order.
#[test]
fn the_transaction_extensions_are_pinned() {
	let names = TxExtension::metadata().into_iter().map(|one| one.identifier).collect::<Vec<_>>();
	assert_eq!(
		vec![
			"CheckNonZeroSender",
			"CheckSpecVersion",
			"CheckTxVersion",
			"CheckGenesis",
			"CheckMortality",
			"CheckNonce",
			"CheckWeight",
			"ChargeTransactionPayment",
			"CheckMetadataHash",
			"WeightReclaim",
		],
		names
	);
}

/// substrate-interface reads version 14.
#[test]
fn metadata_version_14_is_served() {
	assert!(Runtime::metadata_versions().contains(&14));
	assert!(Runtime::metadata_at_version(14).is_some());
}

/// Pallets and calls keep their numbers for ever.
#[test]
fn pallet_numbers_are_pinned() {
	let key =
		RuntimeCall::Emr(pallet_emr::Call::set_encryption_key { public: Box::new([0; 1216]) });
	assert_eq!([20, 5], key.encode()[..2]);
	let cleanup = RuntimeCall::Threats(pallet_threats::Call::cleanup_expired_blocks { limit: 1 });
	assert_eq!([21, 2], cleanup.encode()[..2]);
}

/// A worker's key cannot touch operators or balances.
#[test]
fn a_worker_proxy_only_works() {
	let cleanup = RuntimeCall::Threats(pallet_threats::Call::cleanup_expired_blocks { limit: 1 });
	let operators =
		RuntimeCall::Emr(pallet_emr::Call::set_operators { operators: Default::default() });
	let transfer =
		RuntimeCall::Balances(pallet_balances::Call::burn { value: 1, keep_alive: false });
	let erase = RuntimeCall::Emr(pallet_emr::Call::erase_record {
		organisation: AccountId::new([1; 32]),
		record: [1; 16],
	});
	let move_away = RuntimeCall::Emr(pallet_emr::Call::move_records {
		organisation: AccountId::new([1; 32]),
		object: pallet_emr::ObjectInfo {
			id: [2; 32],
			size: 1,
			record_count: 1,
			manifest_root: [3; 32],
		},
		records: Default::default(),
	});
	assert!(ProxyType::Worker.filter(&cleanup));
	assert!(!ProxyType::Worker.filter(&move_away));
	assert!(!ProxyType::Worker.filter(&operators));
	assert!(!ProxyType::Worker.filter(&erase));
	assert!(!ProxyType::Worker.filter(&transfer));
	assert_eq!(ProxyType::Any, ProxyType::default());
	assert!(ProxyType::Any.is_superset(&ProxyType::Worker));
	assert!(!ProxyType::Worker.is_superset(&ProxyType::Any));
}

/// Both presets build a genesis state; the four validators of the second tolerate one loss.
#[test]
fn genesis_presets_build() {
	for (name, validators) in
		[(sp_genesis_builder::DEV_RUNTIME_PRESET, 1), (genesis::LOCAL_PRESET, 4)]
	{
		let patch = genesis::get_preset(&name.into()).expect("known; qed");
		let patch: serde_json::Value = serde_json::from_slice(&patch).expect("JSON; qed");
		let authorities = patch["aura"]["authorities"].as_array().expect("a list; qed");
		assert_eq!(validators, authorities.len());
	}
	assert!(genesis::get_preset(&"unknown".into()).is_none());
}

/// The heaviest form of each call fits into a block; who fills one completely waits for no other.
#[test]
fn the_heaviest_calls_fit_into_a_block() {
	use frame_support::{dispatch::DispatchClass, traits::Get};
	use pallet_emr::{Config as Emr, WeightInfo as _};
	use pallet_threats::{Config as Threats, WeightInfo as _};
	type Medical = <Runtime as Emr>::WeightInfo;
	let batch: u32 = <Runtime as Emr>::MaxBatch::get();
	let usual: u32 = <Runtime as Emr>::MaxGrantsPerScope::get();
	let members: u32 = <Runtime as Emr>::MaxEmergencyMembers::get();
	let cleanup: u32 = <Runtime as Threats>::MaxCleanup::get();
	let limit = crate::configs::RuntimeBlockWeights::get()
		.get(DispatchClass::Normal)
		.max_extrinsic
		.expect("normal calls have a limit; qed");
	for (name, weight) in [
		("register_patients", Medical::register_patients(batch)),
		("store_emr_batch", Medical::store_emr_batch(batch)),
		("move_records", Medical::move_records(batch)),
		("deliver_keys", Medical::deliver_keys(batch)),
		("erase_record", Medical::erase_record(usual + members)),
		("report_storage_health", Medical::report_storage_health(batch)),
		("report_integrity", Medical::report_integrity(batch)),
		("purge_expired", Medical::purge_expired(batch)),
		(
			"cleanup_expired_blocks",
			<Runtime as Threats>::WeightInfo::cleanup_expired_blocks(cleanup),
		),
	] {
		assert!(weight.all_lte(limit), "{name}: {weight:?} of {limit:?}");
	}
}

/// A state of which nobody knows the version is refused before the first block under new code.
#[cfg(feature = "try-runtime")]
#[test]
fn an_upgrade_of_an_unknown_state_is_refused() {
	use frame_support::traits::StorageVersion;
	use frame_try_runtime::UpgradeCheckSelect;
	for sound in [true, false] {
		state(LOCAL).execute_with(|| {
			if !sound {
				StorageVersion::new(9).put::<Emr>();
			}
			let checked = Executive::try_runtime_upgrade(UpgradeCheckSelect::All);
			assert_eq!(sound, checked.is_ok(), "{checked:?}");
		});
	}
}

/// Root is a multisig of the council wherever the genesis, or later Alice, says so.
#[test]
fn a_council_replaces_the_single_key() {
	use frame_support::{assert_noop, assert_ok, weights::Weight};
	let [alice, bob, charlie] =
		[Sr25519Keyring::Alice, Sr25519Keyring::Bob, Sr25519Keyring::Charlie]
			.map(|key| key.to_account_id());
	state(DEVELOPMENT).execute_with(|| {
		System::set_block_number(1);
		let mut others = vec![bob.clone(), charlie.clone()];
		others.sort();
		let mut council = vec![alice.clone(), bob.clone(), charlie.clone()];
		council.sort();
		let seat = Multisig::multi_account_id(&council, 2);
		let endow = Balances::transfer_allow_death(
			RuntimeOrigin::signed(alice.clone()),
			seat.clone().into(),
			UNIT,
		);
		assert_ok!(endow);
		assert_ok!(Sudo::set_key(RuntimeOrigin::signed(alice.clone()), seat.into()));

		let remark =
			Box::new(RuntimeCall::System(frame_system::Call::set_heap_pages { pages: 64 }));
		let wanted = RuntimeCall::Sudo(pallet_sudo::Call::sudo { call: remark.clone() });
		assert_noop!(
			Sudo::sudo(RuntimeOrigin::signed(alice.clone()), remark),
			pallet_sudo::Error::<Runtime>::RequireSudo
		);
		let hash = sp_io::hashing::blake2_256(&wanted.encode());
		let first = RuntimeOrigin::signed(alice.clone());
		assert_ok!(Multisig::approve_as_multi(first, 2, others, None, hash, Weight::zero()));
		let since = Some(Multisig::timepoint());
		let mut others = vec![alice, charlie];
		others.sort();
		assert_ok!(Multisig::as_multi(
			RuntimeOrigin::signed(bob),
			2,
			others,
			since,
			Box::new(wanted),
			Weight::from_parts(u64::MAX / 2, u64::MAX / 2),
		));
		System::assert_has_event(pallet_sudo::Event::Sudid { sudo_result: Ok(()) }.into());
	});
}

/// Every call has a benchmark, by name.
#[cfg(feature = "runtime-benchmarks")]
#[test]
fn every_call_has_a_benchmark() {
	use frame_benchmarking::Benchmarking;
	use frame_support::traits::GetCallName;
	fn compare(calls: &[&str], benchmarks: Vec<frame_benchmarking::BenchmarkMetadata>) {
		let benchmarked = benchmarks.into_iter().map(|one| one.name).collect::<Vec<_>>();
		for call in calls {
			assert!(benchmarked.iter().any(|name| name == call.as_bytes()), "{call}");
		}
	}
	compare(pallet_emr::Call::<Runtime>::get_call_names(), Emr::benchmarks(true));
	compare(pallet_threats::Call::<Runtime>::get_call_names(), Threats::benchmarks(true));
}

const DEVELOPMENT: &str = sp_genesis_builder::DEV_RUNTIME_PRESET;
#[cfg(feature = "try-runtime")]
const LOCAL: &str = genesis::LOCAL_PRESET;

/// The genesis state of a preset.
fn state(preset: &str) -> sp_io::TestExternalities {
	let patch = genesis::get_preset(&preset.into()).expect("known; qed");
	let patch = serde_json::from_slice(&patch).expect("JSON; qed");
	let mut whole = serde_json::to_value(RuntimeGenesisConfig::default()).expect("JSON; qed");
	merge(&mut whole, patch);
	let whole = serde_json::to_vec(&whole).expect("JSON; qed");
	let mut ext = sp_io::TestExternalities::default();
	ext.execute_with(|| {
		frame_support::genesis_builder_helper::build_state::<RuntimeGenesisConfig>(whole)
	})
	.expect("valid; qed");
	ext
}

/// Put the patch's values over those of the whole.
fn merge(whole: &mut serde_json::Value, patch: serde_json::Value) {
	use serde_json::Value::{Null, Object};
	match (whole, patch) {
		(Object(whole), Object(patch)) => {
			for (name, value) in patch {
				merge(whole.entry(name).or_insert(Null), value);
			}
		},
		(whole, patch) => *whole = patch,
	}
}
