use super::*;
use frame_support::dispatch::Pays;

fn id(n: u8) -> RecordId {
	[n; 16]
}

fn batch(
	records: Vec<RecordInfo>,
) -> frame_support::BoundedVec<RecordInfo, <Test as Config>::MaxBatch> {
	records.try_into().expect("within MaxBatch; qed")
}

#[test]
fn a_record_is_anchored_without_fee() {
	ExtBuilder::default().patient(None).build_and_check(|| {
		let before = held(HOSPITAL);
		let post = Emr::store_emr(signed(APP), HOSPITAL, object(OBJECT, 2), record(RECORD))
			.expect("operator; qed");

		assert_eq!(post.pays_fee, Pays::No);
		assert!(held(HOSPITAL) > before);
		let stored = Emr::live_record(RECORD).expect("anchored; qed");
		assert_eq!((stored.object, stored.anchored_at), (OBJECT, 1));
		assert_eq!(
			emr_events(),
			vec![
				Event::RecordStored {
					record: RECORD,
					patient: PATIENT,
					object: OBJECT,
					custodian: HOSPITAL
				},
				Event::ObjectStored { object: OBJECT, custodian: HOSPITAL },
			]
		);
	});
}

#[test]
fn a_second_store_with_the_same_id_changes_nothing() {
	ExtBuilder::default().patient(None).record(RECORD).build_and_check(|| {
		assert_noop!(
			Emr::store_emr(signed(APP), HOSPITAL, object(OBJECT, 1), record(RECORD)),
			Error::<Test>::RecordExists
		);
	});
}

#[test]
fn a_batch_leaves_bad_items_out_and_goes_on() {
	ExtBuilder::default().patient(None).record(RECORD).build_and_check(|| {
		let stranger = RecordInfo { patient: [8; 32], ..record(id(3)) };
		let outside = RecordInfo { offset: 950, ..record(id(4)) };
		let items = batch(vec![record(RECORD), record(id(2)), stranger, outside]);
		assert_ok!(Emr::store_emr_batch(signed(APP), HOSPITAL, object(OBJECT, 4), items));

		let rejected = |record, reason| Event::RecordRejected { record, object: OBJECT, reason };
		assert_eq!(
			emr_events(),
			vec![
				Event::RecordStored {
					record: id(2),
					patient: PATIENT,
					object: OBJECT,
					custodian: HOSPITAL
				},
				rejected(RECORD, RejectReason::RecordExists),
				rejected(id(3), RejectReason::PatientUnknown),
				rejected(id(4), RejectReason::OutsideObject),
				Event::ObjectStored { object: OBJECT, custodian: HOSPITAL },
			]
		);
	});
}

#[test]
fn a_batch_sent_again_changes_nothing() {
	ExtBuilder::default().patient(None).build_and_check(|| {
		let items = batch(vec![record(id(1)), record(id(2))]);
		assert_ok!(Emr::store_emr_batch(signed(APP), HOSPITAL, object(OBJECT, 2), items.clone()));
		let (before, deposit) = (Objects::<Test>::get(OBJECT), held(HOSPITAL));
		let post = Emr::store_emr_batch(signed(APP), HOSPITAL, object(OBJECT, 2), items);
		assert_eq!((before, deposit), (Objects::<Test>::get(OBJECT), held(HOSPITAL)));
		assert_eq!(Pays::Yes, post.expect("operator; qed").pays_fee);
	});
}

#[test]
fn a_batch_of_which_nothing_is_anchored_leaves_no_object() {
	ExtBuilder::default().build_and_check(|| {
		let items = batch(vec![record(id(1))]);
		assert_ok!(Emr::store_emr_batch(signed(APP), HOSPITAL, object(OBJECT, 1), items));
		assert!(!Objects::<Test>::contains_key(OBJECT));
		assert_noop!(
			Emr::store_emr_batch(signed(APP), HOSPITAL, object(OBJECT, 1), batch(vec![])),
			Error::<Test>::BatchEmpty
		);
	});
}

#[test]
fn a_pack_is_filled_by_several_batches_for_one_growing_deposit() {
	ExtBuilder::default().patient(None).build_and_check(|| {
		let pack = object(OBJECT, 3);
		let start = held(HOSPITAL);
		let first = batch(vec![record(id(1)), record(id(2))]);
		assert_ok!(Emr::store_emr_batch(signed(APP), HOSPITAL, pack, first));
		let second = batch(vec![record(id(3))]);
		let two = held(HOSPITAL) - start;
		assert_ok!(Emr::store_emr_batch(signed(APP), HOSPITAL, pack, second));
		let three = held(HOSPITAL) - start;

		let footprint = |records| Emr::object_footprint(records).size + 10;
		assert_eq!((footprint(2), footprint(3)), (two, three));
		assert_noop!(
			Emr::store_emr(signed(APP), HOSPITAL, pack, record(id(4))),
			Error::<Test>::ObjectFull
		);
	});
}

#[test]
fn an_object_keeps_its_description_and_its_custodian() {
	ExtBuilder::default().patient(None).build_and_check(|| {
		let pack = object(OBJECT, 3);
		assert_ok!(Emr::store_emr(signed(APP), HOSPITAL, pack, record(RECORD)));
		let others = [
			ObjectInfo { size: 2_000, ..pack },
			ObjectInfo { record_count: 4, ..pack },
			ObjectInfo { manifest_root: [0; 32], ..pack },
		];
		for other in others {
			assert_noop!(
				Emr::store_emr(signed(APP), HOSPITAL, other, record(id(2))),
				Error::<Test>::ObjectMismatch
			);
		}
		assert_noop!(
			Emr::store_emr(signed(APP), CLINIC, pack, record(id(2))),
			Error::<Test>::ObjectForeign
		);
	});
}

#[test]
fn nonsense_objects_and_ranges_are_refused() {
	ExtBuilder::default().patient(None).build_and_check(|| {
		let pack = object(OBJECT, 1);
		let bad_objects = [
			ObjectInfo { size: 0, ..pack },
			ObjectInfo { record_count: 0, ..pack },
			ObjectInfo { record_count: 9, ..pack },
		];
		for bad in bad_objects {
			assert_noop!(
				Emr::store_emr(signed(APP), HOSPITAL, bad, record(RECORD)),
				Error::<Test>::ObjectInvalid
			);
		}
		let bad_ranges = [(0, 0), (0, 1_001), (1_000, 1), (u64::MAX, 2)];
		for (offset, length) in bad_ranges {
			let bad = RecordInfo { offset, length, ..record(RECORD) };
			assert_noop!(
				Emr::store_emr(signed(APP), HOSPITAL, pack, bad),
				Error::<Test>::OutsideObject
			);
		}
	});
}

#[test]
fn only_operators_anchor_and_only_for_their_own_patients() {
	ExtBuilder::default().patient(None).build_and_check(|| {
		let pack = object(OBJECT, 1);
		assert_noop!(
			Emr::store_emr(signed(BOB), HOSPITAL, pack, record(RECORD)),
			Error::<Test>::NotOperator
		);
		assert_noop!(
			Emr::store_emr(signed(BOB), BOB, pack, record(RECORD)),
			Error::<Test>::OrganisationUnknown
		);
		assert_noop!(
			Emr::store_emr(signed(APP), CLINIC, pack, record(RECORD)),
			Error::<Test>::PatientUnknown
		);
	});
}
