//! Unit tests, a file for each kind of thing.

use frame_support::{assert_noop, assert_ok};

use crate::{mock::*, *};

mod access;
mod delivery;
mod emergency;
mod encoding;
mod erasure;
mod expiry;
mod model;
mod moves;
mod origins;
mod parties;
mod queries;
mod records;
mod reports;
mod requests;
mod versions;

/// The declared weight of a batch grows with every record.
#[test]
fn a_batch_weighs_what_its_records_weigh() {
	type Weights = <Test as Config>::WeightInfo;
	let steps = (1..=4).map(Weights::store_emr_batch).collect::<Vec<_>>();
	assert!(steps.windows(2).all(|pair| pair[1].ref_time() > pair[0].ref_time()));
	let steps = (1..=4).map(Weights::move_records).collect::<Vec<_>>();
	assert!(steps.windows(2).all(|pair| pair[1].ref_time() > pair[0].ref_time()));
}

/// The constants of the mock hang together, as those of the runtime must.
#[test]
fn constants_hang_together() {
	use frame_support::traits::Hooks;
	<Emr as Hooks<u64>>::integrity_test();
}
