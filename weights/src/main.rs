//! Measures a pallet's benchmarks in the runtime's WASM. Run by `scripts/weights`.

mod machine;

use std::{
	fs,
	path::{Path, PathBuf},
	process::ExitCode,
};

use caregrid_weights::{
	Component, Measurement,
	fit::Fit,
	plan,
	render::{self, Origin},
	report,
};
use clap::Parser;
use frame_benchmarking::{BenchmarkConfig, BenchmarkMetadata};
use machine::Machine;

/// Measure a pallet's benchmarks and write its weights.
#[derive(Parser)]
struct Options {
	/// The runtime's WASM, compiled with the feature `runtime-benchmarks`.
	#[arg(long)]
	wasm: PathBuf,
	/// Points for each component.
	#[arg(long, default_value_t = 50)]
	steps: u32,
	/// Runs at each point.
	#[arg(long, default_value_t = 20)]
	repeats: u32,
	/// A line for the head of the file: the day, the processor, the compiler.
	#[arg(long)]
	note: Vec<String>,
	/// Where to write all figures as JSON, a list with an entry for each pallet.
	#[arg(long)]
	json: Option<PathBuf>,
	/// A pallet, as the runtime lists it, and where to write its weights.
	#[arg(required = true, value_name = "PALLET=FILE", value_parser = target)]
	targets: Vec<(String, PathBuf)>,
}

fn target(text: &str) -> Result<(String, PathBuf), String> {
	let (pallet, file) = text.split_once('=').ok_or("PALLET=FILE is expected")?;
	Ok((pallet.into(), file.into()))
}

fn main() -> ExitCode {
	match run(Options::parse()) {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("{error}");
			ExitCode::FAILURE
		},
	}
}

fn run(options: Options) -> Result<(), String> {
	let code = fs::read(&options.wasm).map_err(|error| error.to_string())?;
	let machine = Machine::new(code, sp_genesis_builder::DEV_RUNTIME_PRESET)?;
	let Options { steps, repeats, note, json, targets, .. } = options;
	let origin = Origin { steps, repeats, notes: note };
	let mut reports = Vec::new();
	for (pallet, file) in &targets {
		let fitted = measure_all(&machine, pallet, &origin)?;
		write(file, render::weights(pallet, &origin, &fitted))?;
		reports.push(report::json(pallet, &fitted));
	}
	json.map_or(Ok(()), |file| write(&file, format!("{}\n", serde_json::Value::from(reports))))
}

fn write(file: &Path, text: String) -> Result<(), String> {
	fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

fn measure_all(
	machine: &Machine,
	pallet: &str,
	origin: &Origin,
) -> Result<Vec<(Measurement, Fit)>, String> {
	let list = machine
		.benchmarks()?
		.into_iter()
		.find(|list| list.pallet == pallet.as_bytes())
		.ok_or_else(|| format!("the runtime lists no benchmarks of {pallet}"))?;
	let mut fitted = Vec::new();
	for benchmark in list.benchmarks {
		let config = BenchmarkConfig {
			pallet: list.pallet.clone(),
			instance: list.instance.clone(),
			benchmark: benchmark.name.clone(),
			..Default::default()
		};
		let measured = measure(machine, &benchmark, config, origin)?;
		let fit = Fit::new(&measured).map_err(|error| format!("{}: {error}", measured.name))?;
		eprintln!("{pallet}::{}: {} ns at least", measured.name, fit.shortest / 1_000);
		fitted.push((measured, fit));
	}
	Ok(fitted)
}

fn measure(
	machine: &Machine,
	benchmark: &BenchmarkMetadata,
	config: BenchmarkConfig,
	origin: &Origin,
) -> Result<Measurement, String> {
	let name = String::from_utf8_lossy(&benchmark.name).into_owned();
	let components: Vec<Component> = benchmark
		.components
		.iter()
		.map(|&(name, low, high)| Component { name, low, high })
		.collect();
	let (mut times, mut accesses) = (Vec::new(), Vec::new());
	for selected_components in plan::points(&components, origin.steps) {
		let at = |verify, internal_repeats| BenchmarkConfig {
			selected_components: selected_components.clone(),
			verify,
			internal_repeats,
			..config.clone()
		};
		let failed = |error| format!("{name} at {selected_components:?}: {error}");
		// The benchmark's own checks run once, apart, because they cost time and storage access.
		machine.time(&at(true, 1)).map_err(failed)?;
		accesses.extend(machine.count(&at(false, 1)).map_err(failed)?);
		times.extend(machine.time(&at(false, origin.repeats)).map_err(failed)?);
	}
	Ok(Measurement { name, components, times, accesses })
}
