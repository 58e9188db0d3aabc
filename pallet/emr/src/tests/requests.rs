use super::*;

fn with_record() -> ExtBuilder {
	ExtBuilder::default().patient(Some(ALICE)).record(RECORD)
}

fn ask(expires_at: u64) -> sp_runtime::DispatchResult {
	Emr::request_access(signed(BOB), RECORD, Purpose::Research, expires_at)
}

fn requested(expires_at: u64) -> Event<Test> {
	Event::AccessRequested {
		record: RECORD,
		requester: BOB,
		purpose: Purpose::Research,
		expires_at,
		patient: PATIENT,
		controller: ALICE,
		custodian: HOSPITAL,
	}
}

#[test]
fn asking_costs_a_deposit_and_asking_again_replaces() {
	with_record().build_and_check(|| {
		assert_ok!(ask(5));
		let deposit = held(BOB);
		assert_ok!(ask(9));
		assert!(deposit > 0);
		assert_eq!(deposit, held(BOB));
		assert_eq!(vec![requested(5), requested(9)], emr_events());
	});
}

#[test]
fn a_grant_answers_the_request() {
	with_record().build_and_check(|| {
		assert_ok!(ask(5));
		let (purpose, key) = (Purpose::Research, KeyState::Pending);
		assert_ok!(Emr::grant_access(signed(ALICE), Scope::Record(RECORD), BOB, 5, purpose, key));
		assert_eq!(0, held(BOB));
		assert!(AccessRequests::<Test>::get(RECORD, BOB).is_none());
	});
}

#[test]
fn a_denied_request_is_paid_back() {
	with_record().build_and_check(|| {
		assert_ok!(ask(5));
		emr_events();
		assert_noop!(Emr::deny_request(signed(BOB), RECORD, BOB), Error::<Test>::NotController);
		assert_ok!(Emr::deny_request(signed(ALICE), RECORD, BOB));
		assert_eq!(0, held(BOB));
		let denied = Event::RequestDenied { record: RECORD, requester: BOB, custodian: HOSPITAL };
		assert_eq!(vec![denied], emr_events());
		assert_noop!(Emr::deny_request(signed(ALICE), RECORD, BOB), Error::<Test>::RequestUnknown);
	});
}

#[test]
fn an_expired_request_stands_no_more() {
	with_record().build_and_check(|| {
		assert_ok!(ask(5));
		run_to_block(5);
		assert_noop!(Emr::deny_request(signed(ALICE), RECORD, BOB), Error::<Test>::RequestUnknown);
	});
}

#[test]
fn a_request_expires_within_bounds_and_needs_a_record() {
	with_record().build_and_check(|| {
		assert_noop!(ask(1), Error::<Test>::ExpiryInPast);
		assert_noop!(ask(52), Error::<Test>::ExpiryTooFar);
		assert_ok!(ask(51));
		assert_noop!(
			Emr::request_access(signed(BOB), [2; 16], Purpose::Research, 5),
			Error::<Test>::RecordUnknown
		);
		assert_noop!(
			Emr::request_access(signed(POOR), RECORD, Purpose::Research, 5),
			sp_runtime::TokenError::FundsUnavailable
		);
	});
}
