//! Compiles the runtime next door to WASM. `scripts/lib/rust.sh` sets the toolchain up.

use std::{env, path::Path};

use substrate_wasm_builder::WasmBuilder;

/// What else the runtime can be compiled with, and what that WASM's name ends with.
const VARIANTS: [(&str, &str); 2] =
	[("RUNTIME_BENCHMARKS", "_benchmarks"), ("TRY_RUNTIME", "_try_runtime")];

fn main() {
	let name = file_name();
	println!("cargo:rustc-env=CAREGRID_WASM={name}");
	clean_environment();
	let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("runtime/wasm; qed");
	WasmBuilder::new()
		.with_project(runtime.join("Cargo.toml"))
		.expect("the runtime is the parent folder; qed")
		.set_file_name(name)
		.import_memory()
		.export_heap_base()
		.build();
}

/// Clippy wraps the compiler, but not the WASM's, which is another one. And cargo, which the builder
/// starts, reads its configuration from the working directory upwards: not through a folder that
/// others may write to, as the sources' may be.
fn clean_environment() {
	env::remove_var("RUSTC_WORKSPACE_WRAPPER");
	env::set_current_dir(env::var_os("OUT_DIR").expect("cargo sets it; qed"))
		.expect("cargo makes it; qed");
}

/// One name for each set of features: builds of both lie in one folder, and neither may take the
/// other's WASM for its own.
fn file_name() -> String {
	let enabled = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
	VARIANTS
		.iter()
		.filter(|(feature, _)| enabled(feature))
		.fold("caregrid_runtime".into(), |name, (_, suffix)| name + suffix)
}
