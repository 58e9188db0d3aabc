//! Builds the WASM that the chain executes, where it is asked for; `scripts/build-node` says how.

fn main() {
	#[cfg(feature = "embed-wasm")]
	substrate_wasm_builder::WasmBuilder::build_using_defaults();
}
