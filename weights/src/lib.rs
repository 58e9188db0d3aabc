//! From a pallet's benchmarks to its `weights.rs`.
//!
//! [`plan`] says which component values to measure, [`fit`] lays a line through what was measured, and
//! [`render`] and [`report`] write it down, as Rust and as JSON. The program beside this library
//! does the measuring: it executes the runtime's WASM.

use frame_benchmarking::{BenchmarkParameter, BenchmarkResult};

pub mod fit;
pub mod plan;
pub mod render;
pub mod report;
#[cfg(test)]
mod tests;

/// What drives a benchmark's cost, and how far it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Component {
	/// The letter that the benchmark calls it by.
	pub name: BenchmarkParameter,
	/// The lowest value.
	pub low: u32,
	/// The highest value.
	pub high: u32,
}

/// What was measured of one benchmark.
pub struct Measurement {
	/// The benchmark, usually a call.
	pub name: String,
	/// Its components, in the order of the function's arguments.
	pub components: Vec<Component>,
	/// Each repeat at each point. Only the time counts.
	pub times: Vec<BenchmarkResult>,
	/// One run at each point. Only reads and writes count: counting takes time.
	pub accesses: Vec<BenchmarkResult>,
}
