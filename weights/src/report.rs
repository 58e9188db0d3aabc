//! Measurements as JSON, for programs that compare them.

use crate::{
	Measurement,
	fit::{Fit, Line},
};
use frame_benchmarking::BenchmarkResult;
use serde_json::{Map, Value, json};

/// All figures of a pallet: times in nanoseconds, weights in picoseconds.
pub fn json(pallet: &str, fitted: &[(Measurement, Fit)]) -> Value {
	let benchmarks: Vec<Value> = fitted.iter().map(|(of, fit)| benchmark(of, fit)).collect();
	json!({ "pallet": pallet, "benchmarks": benchmarks })
}

fn benchmark(measured: &Measurement, fit: &Fit) -> Value {
	let ranges: Map<String, Value> = measured
		.components
		.iter()
		.map(|it| (it.name.to_string(), json!([it.low, it.high])))
		.collect();
	let points: Vec<Value> =
		measured.accesses.iter().map(|access| point(access, &measured.times)).collect();
	json!({
		"name": measured.name,
		"components": ranges,
		"time_ps": line(&fit.time),
		"reads": line(&fit.reads),
		"writes": line(&fit.writes),
		"points": points,
	})
}

fn point(access: &BenchmarkResult, times: &[BenchmarkResult]) -> Value {
	let here = times.iter().filter(|run| run.components == access.components);
	let mut nanoseconds: Vec<u64> = here.map(|run| clamped(run.extrinsic_time)).collect();
	nanoseconds.sort_unstable();
	let components: Map<String, Value> =
		access.components.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
	json!({
		"components": components,
		"times_ns": nanoseconds,
		"reads": access.reads,
		"writes": access.writes,
	})
}

fn line(line: &Line) -> Value {
	let each: Map<String, Value> = line
		.slopes
		.iter()
		.map(|slope| (slope.component.clone(), json!(clamped(slope.each))))
		.collect();
	json!({ "base": clamped(line.base), "each": each })
}

/// JSON's numbers end before `u128` does, and times long before either.
fn clamped(number: u128) -> u64 {
	number.try_into().unwrap_or(u64::MAX)
}
