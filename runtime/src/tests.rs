//! What outside programs rely on.

use alloc::{boxed::Box, vec, vec::Vec};
use codec::Encode;
use frame_support::traits::InstanceFilter;
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
	assert!(ProxyType::Worker.filter(&cleanup));
	assert!(!ProxyType::Worker.filter(&operators));
	assert!(!ProxyType::Worker.filter(&transfer));
	assert_eq!(ProxyType::Any, ProxyType::default());
	assert!(ProxyType::Any.is_superset(&ProxyType::Worker));
	assert!(!ProxyType::Worker.is_superset(&ProxyType::Any));
}

/// Both presets build a genesis state; the four validators of the second tolerate one loss.
#[test]
fn genesis_presets_build() {
	for (name, validators) in [
		(sp_genesis_builder::DEV_RUNTIME_PRESET, 1),
		(sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET, 4),
	] {
		let patch = genesis::get_preset(&name.into()).expect("known; qed");
		let patch: serde_json::Value = serde_json::from_slice(&patch).expect("JSON; qed");
		let authorities = patch["aura"]["authorities"].as_array().expect("a list; qed");
		assert_eq!(validators, authorities.len());
	}
	assert!(genesis::get_preset(&"unknown".into()).is_none());
}
