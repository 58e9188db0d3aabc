//! Builds the runtime's WASM, which the node embeds.
//!
//! The WASM is built here and not by the runtime itself, so that the runtime's unit tests do
//! without it, and without compiling Binaryen. `scripts/lib/rust.sh` sets the toolchain up.

use std::path::Path;

use substrate_wasm_builder::WasmBuilder;

fn main() {
	let workspace =
		Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("node/ has a parent; qed");
	WasmBuilder::new()
		.with_project(workspace.join("runtime/Cargo.toml"))
		.expect("the runtime is a sibling folder; qed")
		.import_memory()
		.export_heap_base()
		.build();
}
