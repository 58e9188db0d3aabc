//! Lines through measured points.

use crate::{Component, Measurement};
use frame_benchmarking::{Analysis, BenchmarkResult, BenchmarkSelector};

/// What a benchmark costs, for any value of its components.
pub struct Fit {
	/// Execution time in picoseconds, storage access left out.
	pub time: Line,
	/// The shortest time of all runs, in picoseconds.
	pub shortest: u128,
	/// Storage items read.
	pub reads: Line,
	/// Storage items written.
	pub writes: Line,
}

/// A base, and so much more for each component.
pub struct Line {
	/// With all components at zero.
	pub base: u128,
	/// Components that make no difference are left out.
	pub slopes: Vec<Slope>,
}

/// What one component adds.
pub struct Slope {
	/// The component's letter.
	pub component: String,
	/// For each unit of it.
	pub each: u128,
	/// The standard error of `each`.
	pub error: u128,
}

impl Fit {
	/// Fit lines to `measured`, least squares over the middle half of the repeats at each point.
	pub fn new(measured: &Measurement) -> Result<Self, String> {
		let times = varying(&measured.times, &measured.components);
		let accesses = varying(&measured.accesses, &measured.components);
		let time = analyse(&times, BenchmarkSelector::ExtrinsicTime)?;
		Ok(Self {
			shortest: time.minimum.saturating_mul(1_000),
			time: time.into(),
			reads: analyse(&accesses, BenchmarkSelector::Reads)?.into(),
			writes: analyse(&accesses, BenchmarkSelector::Writes)?.into(),
		})
	}
}

/// Without the components of a single value, which have no slope.
fn varying(results: &[BenchmarkResult], components: &[Component]) -> Vec<BenchmarkResult> {
	let fixed = |name| components.iter().any(|it| it.name == name && it.low == it.high);
	let mut results = results.to_vec();
	results.iter_mut().for_each(|result| result.components.retain(|(name, _)| !fixed(*name)));
	results
}

fn analyse(results: &Vec<BenchmarkResult>, what: BenchmarkSelector) -> Result<Analysis, String> {
	Analysis::min_squares_iqr(results, what).map_err(|error| error.to_string())
}

impl From<Analysis> for Line {
	fn from(analysis: Analysis) -> Self {
		let errors = analysis.errors.unwrap_or_default().into_iter().chain(std::iter::repeat(0));
		let slopes = analysis.names.into_iter().zip(analysis.slopes).zip(errors);
		Self {
			base: analysis.base,
			slopes: slopes
				.map(|((component, each), error)| Slope { component, each, error })
				.filter(|slope| slope.each > 0)
				.collect(),
		}
	}
}
