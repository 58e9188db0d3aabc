//! Unit tests, a file for each kind of thing.

use frame_support::{assert_noop, assert_ok};

use crate::{mock::*, *};

mod access;
mod encoding;
mod parties;
mod records;

/// The signer of a call is refused unless he is a signed account.
#[test]
fn root_and_none_are_refused() {
	use sp_runtime::DispatchError::BadOrigin;
	ExtBuilder::default().build_and_check(|| {
		for origin in [RuntimeOrigin::root(), RuntimeOrigin::none()] {
			let operators = Operators::<Test>::default();
			let batch = vec![record(RECORD)].try_into().expect("one; qed");
			assert_noop!(Emr::register_organisation(origin.clone(), operators.clone()), BadOrigin);
			assert_noop!(Emr::set_operators(origin.clone(), operators), BadOrigin);
			assert_noop!(Emr::register_patient(origin.clone(), HOSPITAL, PATIENT, None), BadOrigin);
			assert_noop!(Emr::set_encryption_key(origin.clone(), Box::new([0; 1216])), BadOrigin);
			assert_noop!(
				Emr::store_emr(origin.clone(), HOSPITAL, object(OBJECT, 1), record(RECORD)),
				BadOrigin
			);
			assert_noop!(
				Emr::store_emr_batch(origin.clone(), HOSPITAL, object(OBJECT, 1), batch),
				BadOrigin
			);
			let scope = Scope::Record(RECORD);
			assert_noop!(
				Emr::grant_access(
					origin.clone(),
					scope,
					BOB,
					5,
					Purpose::Research,
					KeyState::Pending
				),
				BadOrigin
			);
			assert_noop!(Emr::revoke_access(origin, scope, BOB), BadOrigin);
		}
	});
}

/// The declared weight of a batch grows with every record.
#[test]
fn a_batch_weighs_what_its_records_weigh() {
	type Weights = <Test as Config>::WeightInfo;
	let steps = (1..=4).map(Weights::store_emr_batch).collect::<Vec<_>>();
	assert!(steps.windows(2).all(|pair| pair[1].all_gt(pair[0])));
}
