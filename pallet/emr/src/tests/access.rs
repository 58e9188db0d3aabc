use super::*;

const SCOPE: Scope = Scope::Record(RECORD);

fn with_record() -> ExtBuilder {
	ExtBuilder::default().patient(Some(ALICE)).record(RECORD).key(BOB)
}

fn grant(
	who: AccountId,
	expires_at: u64,
	key: KeyState,
) -> frame_support::dispatch::DispatchResult {
	Emr::grant_access(signed(who), SCOPE, BOB, expires_at, Purpose::Treatment, key)
}

#[docify::export]
#[test]
fn an_expired_grant_gives_nothing() {
	with_record().build_and_check(|| {
		assert_ok!(grant(ALICE, 5, inline(1)));
		run_to_block(4);
		assert!(Emr::live_grant(RECORD, &BOB).is_some());
		run_to_block(5);
		assert!(Emr::live_grant(RECORD, &BOB).is_none());
	});
}

#[test]
fn a_grant_is_extended_and_shortened() {
	with_record().build_and_check(|| {
		assert_ok!(grant(ALICE, 5, inline(1)));
		assert_ok!(grant(ALICE, 50, inline(1)));
		run_to_block(5);
		assert!(Emr::live_grant(RECORD, &BOB).is_some());
		assert_ok!(grant(ALICE, 7, inline(1)));
		run_to_block(7);
		assert!(Emr::live_grant(RECORD, &BOB).is_none());
		assert_ok!(grant(ALICE, 9, inline(1)));
		assert!(Emr::live_grant(RECORD, &BOB).is_some());
	});
}

#[test]
fn a_key_in_escrow_costs_what_a_pending_one_does() {
	with_record().build_and_check(|| {
		assert_ok!(grant(ALICE, 5, KeyState::Pending));
		let pending = held(ALICE);
		assert_ok!(grant(ALICE, 5, escrowed(1)));
		assert_eq!(pending, held(ALICE));
	});
}

#[test]
fn a_grant_is_reported_and_paid_by_the_controller() {
	with_record().build_and_check(|| {
		assert_ok!(grant(ALICE, 5, KeyState::Pending));
		let pending = held(ALICE);
		assert_ok!(grant(ALICE, 5, inline(1)));

		assert!(held(ALICE) > pending && pending > 0);
		let granted = |key_version| Event::AccessGranted {
			scope: SCOPE,
			patient: PATIENT,
			grantee: BOB,
			expires_at: 5,
			custodian: HOSPITAL,
			purpose: Purpose::Treatment,
			key_version,
		};
		assert_eq!(emr_events(), vec![granted(None), granted(Some(1))]);
	});
}

#[test]
fn a_patient_wide_grant_covers_later_records() {
	with_record().build_and_check(|| {
		let scope = Scope::Patient(PATIENT);
		let key = KeyState::Escrowed { digest: [1; 32], key_version: 1 };
		assert_ok!(Emr::grant_access(signed(ALICE), scope, BOB, 9, Purpose::Treatment, key));
		let later = object([2; 32], 1);
		assert_ok!(Emr::store_emr(signed(APP), HOSPITAL, later, record([2; 16])));
		assert!(Emr::live_grant([2; 16], &BOB).is_some());
		assert!(Emr::live_grant([2; 16], &ALICE).is_none());
		assert!(Emr::live_grant([3; 16], &BOB).is_none());
	});
}

#[test]
fn a_revoked_grant_gives_nothing_and_its_deposit_goes_back() {
	with_record().build_and_check(|| {
		let before = held(ALICE);
		assert_ok!(grant(ALICE, 50, inline(1)));
		emr_events();
		assert_ok!(Emr::revoke_access(signed(ALICE), SCOPE, BOB));

		assert!(Emr::live_grant(RECORD, &BOB).is_none());
		assert_eq!(before, held(ALICE));
		assert_eq!(
			emr_events(),
			vec![Event::AccessRevoked {
				scope: SCOPE,
				patient: PATIENT,
				grantee: BOB,
				custodian: HOSPITAL
			}]
		);
		assert_noop!(Emr::revoke_access(signed(ALICE), SCOPE, BOB), Error::<Test>::GrantUnknown);
	});
}

#[test]
fn operators_decide_only_for_unclaimed_patients() {
	with_record().build_and_check(|| {
		for who in [APP, HOSPITAL, BOB] {
			assert_noop!(grant(who, 5, KeyState::Pending), Error::<Test>::NotController);
			assert_noop!(Emr::revoke_access(signed(who), SCOPE, BOB), Error::<Test>::NotController);
		}
	});
	ExtBuilder::default().patient(None).record(RECORD).build_and_check(|| {
		let before = held(HOSPITAL);
		assert_ok!(grant(APP, 5, KeyState::Pending));
		assert!(held(HOSPITAL) > before);
		assert_noop!(grant(ALICE, 5, KeyState::Pending), Error::<Test>::NotController);
	});
}

#[test]
fn a_grant_needs_something_to_cover() {
	ExtBuilder::default().build_and_check(|| {
		assert_noop!(grant(ALICE, 5, KeyState::Pending), Error::<Test>::RecordUnknown);
		let scope = Scope::Patient(PATIENT);
		assert_noop!(Emr::revoke_access(signed(ALICE), scope, BOB), Error::<Test>::PatientUnknown);
	});
}

#[test]
fn a_grant_expires_within_bounds() {
	with_record().build_and_check(|| {
		assert_noop!(grant(ALICE, 1, KeyState::Pending), Error::<Test>::ExpiryInPast);
		assert_noop!(grant(ALICE, 102, KeyState::Pending), Error::<Test>::ExpiryTooFar);
		assert_ok!(grant(ALICE, 101, KeyState::Pending));
	});
}

#[test]
fn a_key_is_wrapped_to_the_grantees_present_key() {
	with_record().build_and_check(|| {
		assert_noop!(grant(ALICE, 5, inline(2)), Error::<Test>::EncryptionKeyStale);
		assert_ok!(Emr::set_encryption_key(signed(BOB), Box::new([8; 1216])));
		assert_noop!(grant(ALICE, 5, inline(1)), Error::<Test>::EncryptionKeyStale);
		assert_ok!(grant(ALICE, 5, inline(2)));

		let short = KeyState::Inline {
			wrapped: vec![1; 1167].try_into().expect("within bound; qed"),
			key_version: 2,
		};
		assert_noop!(grant(ALICE, 5, short), Error::<Test>::WrappedKeyInvalid);
		assert_noop!(
			Emr::grant_access(signed(ALICE), SCOPE, APP, 5, Purpose::Research, inline(1)),
			Error::<Test>::NoEncryptionKey
		);
	});
}

#[test]
fn a_scope_has_room_for_a_bounded_number_of_grants() {
	with_record().build_and_check(|| {
		let to = |grantee| {
			let pending = KeyState::Pending;
			Emr::grant_access(signed(ALICE), SCOPE, grantee, 5, Purpose::Treatment, pending)
		};
		assert_ok!(to(BOB));
		assert_ok!(to(APP));
		assert_noop!(to(SIDECAR), Error::<Test>::GrantsFull);
		assert_ok!(to(APP));
		assert_ok!(Emr::revoke_access(signed(ALICE), SCOPE, BOB));
		assert_ok!(to(SIDECAR));
	});
}
