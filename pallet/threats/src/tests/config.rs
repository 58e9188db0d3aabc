//! Constants of the runtime that make no sense are refused.

use super::*;
use frame_support::traits::Hooks;

#[test]
fn sensible_constants_are_accepted() {
	test(Threats::integrity_test);
}

#[test]
#[should_panic(expected = "would refuse every block")]
fn no_duration_is_refused() {
	MaxBlockDuration::set(0);
	test(Threats::integrity_test);
}

#[test]
#[should_panic(expected = "would never clean up")]
fn no_clean_up_is_refused() {
	MaxCleanup::set(0);
	test(Threats::integrity_test);
}

#[test]
#[should_panic(expected = "would not fit into a block")]
fn a_clean_up_larger_than_a_block_is_refused() {
	MaxCleanup::set(1_000_000);
	test(Threats::integrity_test);
}

#[test]
#[should_panic(expected = "no signature would fit")]
fn no_pattern_is_refused() {
	MaxPatternLen::set(0);
	test(Threats::integrity_test);
}
