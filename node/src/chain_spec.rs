//! Chain specs made from the runtime's genesis presets.

use caregrid_runtime_wasm::WASM_BINARY;
use sc_service::{ChainType, GenericChainSpec, Properties};

/// A chain spec, plain or raw.
pub type ChainSpec = GenericChainSpec;

/// One validator, on this machine.
pub fn development() -> Result<ChainSpec, String> {
	from_preset(
		"CareGrid Development",
		"caregrid_dev",
		ChainType::Development,
		sp_genesis_builder::DEV_RUNTIME_PRESET,
	)
}

/// Four validators, on this machine.
pub fn local() -> Result<ChainSpec, String> {
	from_preset(
		"CareGrid Local",
		"caregrid_local",
		ChainType::Local,
		caregrid_runtime::genesis::LOCAL_PRESET,
	)
}

fn from_preset(
	name: &str,
	id: &str,
	chain_type: ChainType,
	preset: &str,
) -> Result<ChainSpec, String> {
	let wasm = WASM_BINARY.ok_or("the node was built without the runtime's WASM")?;
	Ok(ChainSpec::builder(wasm, None)
		.with_name(name)
		.with_id(id)
		.with_chain_type(chain_type)
		.with_properties(properties())
		.with_genesis_config_preset_name(preset)
		.build())
}

fn properties() -> Properties {
	let mut properties = Properties::new();
	properties.insert("ss58Format".into(), 42.into());
	properties.insert("tokenDecimals".into(), 12.into());
	properties.insert("tokenSymbol".into(), "CARE".into());
	properties
}
