//! Genesis presets: `development` (one validator) and `local` (four, so that one may fail).

use alloc::{vec, vec::Vec};
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_genesis_builder::{DEV_RUNTIME_PRESET, PresetId};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

use crate::{BalancesConfig, RuntimeGenesisConfig, SudoConfig, UNIT};

/// The name of the preset with four validators.
pub const LOCAL_PRESET: &str = "local";

/// What each well-known development account starts with.
const ENDOWMENT: u128 = 1_000_000 * UNIT;

type Validator = (Sr25519Keyring, Ed25519Keyring);

const VALIDATORS: [Validator; 4] = [
	(Sr25519Keyring::Alice, Ed25519Keyring::Alice),
	(Sr25519Keyring::Bob, Ed25519Keyring::Bob),
	(Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
	(Sr25519Keyring::Dave, Ed25519Keyring::Dave),
];

/// The JSON patch of one preset.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
	let patch = match id.as_ref() {
		DEV_RUNTIME_PRESET => preset(&VALIDATORS[..1]),
		LOCAL_PRESET => preset(&VALIDATORS),
		_ => return None,
	};
	Some(serde_json::to_vec(&patch).expect("a JSON value is serialisable; qed"))
}

/// The names of the presets.
pub fn preset_names() -> Vec<PresetId> {
	vec![PresetId::from(DEV_RUNTIME_PRESET), PresetId::from(LOCAL_PRESET)]
}

fn preset(validators: &[Validator]) -> Value {
	build_struct_json_patch!(RuntimeGenesisConfig {
		balances: BalancesConfig {
			balances: Sr25519Keyring::well_known()
				.map(|key| (key.to_account_id(), ENDOWMENT))
				.collect::<Vec<_>>(),
		},
		aura: pallet_aura::GenesisConfig {
			authorities: validators
				.iter()
				.map(|(aura, _)| aura.public().into())
				.collect::<Vec<_>>(),
		},
		grandpa: pallet_grandpa::GenesisConfig {
			authorities: validators
				.iter()
				.map(|(_, grandpa)| (grandpa.public().into(), 1))
				.collect::<Vec<_>>(),
		},
		sudo: SudoConfig { key: Some(Sr25519Keyring::Alice.to_account_id()) },
	})
}
