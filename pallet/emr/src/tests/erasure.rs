use super::*;
use frame_support::{BoundedVec, dispatch::Pays};

const SCOPE: Scope = Scope::Record(RECORD);

fn with_record() -> ExtBuilder {
	ExtBuilder::default().patient(Some(ALICE)).record(RECORD).key(BOB)
}

#[test]
fn an_erased_record_leaves_a_tombstone_and_nothing_else() {
	with_record().build_and_check(|| {
		let (alice, object) = (held(ALICE), [RECORD[0]; 32]);
		let (purpose, key) = (Purpose::Treatment, inline(1));
		assert_ok!(Emr::grant_access(signed(ALICE), SCOPE, BOB, 50, purpose, key));
		emr_events();
		run_to_block(3);
		let post = Emr::erase_record(signed(SIDECAR), HOSPITAL, RECORD).expect("operator; qed");

		assert_eq!(Pays::No, post.pays_fee);
		assert_eq!(Some(<Test as Config>::WeightInfo::erase_record(1)), post.actual_weight);
		assert_eq!(alice, held(ALICE));
		assert!(Emr::live_grant(RECORD, &BOB).is_none());
		let tombstone = Tombstone { custodian: HOSPITAL, erased_at: 3 };
		assert_eq!(Some(RecordEntry::Erased(tombstone)), Records::<Test>::get(RECORD));
		assert!(!PatientRecords::<Test>::contains_key(PATIENT, RECORD));
		assert_eq!(
			vec![
				Event::AccessRevoked {
					scope: SCOPE,
					patient: PATIENT,
					grantee: BOB,
					custodian: HOSPITAL
				},
				Event::RecordErased { record: RECORD, object, custodian: HOSPITAL },
				Event::ObjectRemoved { object, custodian: HOSPITAL },
			],
			emr_events()
		);
	});
}

#[test]
fn the_custodian_gets_more_back_than_a_tombstone_costs() {
	ExtBuilder::default().patient(None).build_and_check(|| {
		let empty = held(HOSPITAL);
		assert_ok!(Emr::store_emr(signed(APP), HOSPITAL, object(OBJECT, 2), record(RECORD)));
		assert_ok!(Emr::store_emr(signed(APP), HOSPITAL, object(OBJECT, 2), record([2; 16])));
		let two = held(HOSPITAL);
		assert_ok!(Emr::erase_record(signed(APP), HOSPITAL, RECORD));
		let one = held(HOSPITAL);
		assert_ok!(Emr::erase_record(signed(APP), HOSPITAL, [2; 16]));

		let tombstones = Emr::organisation_footprint(2).size - Emr::organisation_footprint(0).size;
		assert!(two > one && one > held(HOSPITAL));
		assert_eq!(empty + tombstones, held(HOSPITAL));
		assert!(!Objects::<Test>::contains_key(OBJECT));
	});
}

#[test]
fn an_id_is_used_once() {
	with_record().build_and_check(|| {
		assert_ok!(Emr::erase_record(signed(SIDECAR), HOSPITAL, RECORD));
		assert_noop!(
			Emr::store_emr(signed(APP), HOSPITAL, object(OBJECT, 1), record(RECORD)),
			Error::<Test>::RecordErased
		);
		emr_events();
		let records = BoundedVec::truncate_from(vec![record(RECORD)]);
		assert_ok!(Emr::store_emr_batch(signed(APP), HOSPITAL, object(OBJECT, 1), records));
		let reason = RejectReason::RecordErased;
		let rejected = Event::RecordRejected { record: RECORD, object: OBJECT, reason };
		assert_eq!(vec![rejected], emr_events());
	});
}

#[test]
fn the_place_of_an_erased_record_is_not_used_again() {
	ExtBuilder::default().patient(None).build_and_check(|| {
		let pack = object(OBJECT, 2);
		assert_ok!(Emr::store_emr(signed(APP), HOSPITAL, pack, record(RECORD)));
		assert_ok!(Emr::store_emr(signed(APP), HOSPITAL, pack, record([2; 16])));
		assert_ok!(Emr::erase_record(signed(APP), HOSPITAL, RECORD));
		assert_noop!(
			Emr::store_emr(signed(APP), HOSPITAL, pack, record([3; 16])),
			Error::<Test>::ObjectFull
		);
	});
}

#[test]
fn only_the_custodian_erases_and_only_once() {
	with_record().build_and_check(|| {
		assert_noop!(
			Emr::erase_record(signed(SIDECAR), CLINIC, RECORD),
			Error::<Test>::ObjectForeign
		);
		assert_noop!(
			Emr::erase_record(signed(ALICE), HOSPITAL, RECORD),
			Error::<Test>::NotOperator
		);
		assert_noop!(
			Emr::erase_record(signed(SIDECAR), HOSPITAL, [2; 16]),
			Error::<Test>::RecordUnknown
		);
		assert_ok!(Emr::erase_record(signed(SIDECAR), HOSPITAL, RECORD));
		assert_noop!(
			Emr::erase_record(signed(SIDECAR), HOSPITAL, RECORD),
			Error::<Test>::RecordErased
		);
	});
}

#[test]
fn nothing_can_be_done_with_an_erased_record() {
	with_record().build_and_check(|| {
		assert_ok!(Emr::erase_record(signed(SIDECAR), HOSPITAL, RECORD));
		let (purpose, key) = (Purpose::Treatment, KeyState::Pending);
		let refused = Error::<Test>::RecordErased;
		assert_noop!(Emr::grant_access(signed(ALICE), SCOPE, BOB, 5, purpose, key), refused);
		let refused = Error::<Test>::RecordErased;
		assert_noop!(Emr::revoke_access(signed(ALICE), SCOPE, BOB), refused);
		let refused = Error::<Test>::RecordErased;
		assert_noop!(Emr::request_access(signed(BOB), RECORD, purpose, 5), refused);
		let refused = Error::<Test>::RecordErased;
		assert_noop!(Emr::deny_request(signed(ALICE), RECORD, BOB), refused);
	});
}

#[test]
fn a_person_is_his_own_custodian() {
	ExtBuilder::default().key(BOB).build_and_check(|| {
		assert_ok!(Emr::register_organisation(signed(ALICE), Default::default()));
		assert_ok!(Emr::register_patient(signed(ALICE), ALICE, PATIENT, None));
		assert_ok!(Emr::store_emr(signed(ALICE), ALICE, object(OBJECT, 1), record(RECORD)));
		let (purpose, key) = (Purpose::Treatment, inline(1));
		assert_ok!(Emr::grant_access(signed(ALICE), SCOPE, BOB, 5, purpose, key));
		assert!(Emr::live_grant(RECORD, &BOB).is_some());
		assert_ok!(Emr::erase_record(signed(ALICE), ALICE, RECORD));
		assert!(Emr::live_grant(RECORD, &BOB).is_none());
	});
}
