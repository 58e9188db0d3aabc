//! Which component values to measure.

use crate::Component;
use frame_benchmarking::BenchmarkParameter;

/// A value for each component.
pub type Point = Vec<(BenchmarkParameter, u32)>;

/// Walk each component from its lowest to its highest value in at most `steps` points, while the
/// others stay at their highest.
pub fn points(components: &[Component], steps: u32) -> Vec<Point> {
	let highest: Point = components.iter().map(|it| (it.name, it.high)).collect();
	if components.is_empty() {
		return vec![highest];
	}
	let mut points = Vec::new();
	for (index, component) in components.iter().enumerate() {
		for value in values(component, steps) {
			let mut point = highest.clone();
			point[index].1 = value;
			points.push(point);
		}
	}
	points
}

/// Evenly spread values, both ends included, each once.
fn values(component: &Component, steps: u32) -> Vec<u32> {
	let width = u64::from(component.high.saturating_sub(component.low));
	let last = u64::from(steps.max(2) - 1);
	let mut values: Vec<u32> = (0..=last)
		.map(|step| component.low + u32::try_from(width * step / last).expect("at most width; qed"))
		.collect();
	values.dedup();
	values
}
