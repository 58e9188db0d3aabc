use super::*;
use frame_support::{
	BoundedVec,
	dispatch::Pays,
	traits::{
		Get,
		fungible::{Inspect, Mutate},
	},
};

const SCOPE: Scope = Scope::Record(RECORD);
const TARGET: ObjectId = [200; 32];

fn id(n: u8) -> RecordId {
	[n; 16]
}

fn batch(records: Vec<RecordInfo>) -> BoundedVec<RecordInfo, <Test as Config>::MaxBatch> {
	records.try_into().expect("within MaxBatch; qed")
}

fn sealed_anew(id: RecordId) -> RecordInfo {
	RecordInfo { offset: 500, length: 120, digest: [5; 32], ..record(id) }
}

fn moved(record: RecordId, from: ObjectId) -> Event<Test> {
	Event::RecordMoved { record, patient: PATIENT, from, object: TARGET, custodian: HOSPITAL }
}

fn rejected(record: RecordId, reason: RejectReason) -> Event<Test> {
	Event::RecordRejected { record, object: TARGET, reason }
}

fn counts(object: ObjectId) -> Option<(u32, u32)> {
	Objects::<Test>::get(object).map(|object| (object.anchored, object.erased))
}

/// Three records in an object with room for four, of which one was erased.
fn with_pack(test: impl FnOnce()) {
	ExtBuilder::default().patient(Some(ALICE)).key(BOB).build_and_check(|| {
		let records = batch(vec![record(id(1)), record(id(2)), record(id(3))]);
		assert_ok!(Emr::store_emr_batch(signed(APP), HOSPITAL, object(OBJECT, 4), records));
		assert_ok!(Emr::erase_record(signed(APP), HOSPITAL, id(3)));
		emr_events();
		run_to_block(5);
		test();
	});
}

#[test]
fn records_move_as_they_are_or_sealed_anew() {
	with_pack(|| {
		let records = batch(vec![record(id(1)), sealed_anew(id(2))]);
		let post = Emr::move_records(signed(APP), HOSPITAL, object(TARGET, 2), records);
		assert_eq!(Pays::No, post.expect("operator; qed").pays_fee);

		let place = |id| {
			let Record { object, offset, length, digest, anchored_at, .. } =
				Emr::live_record(id).expect("anchored; qed");
			(object, offset, length, digest, anchored_at)
		};
		assert_eq!((TARGET, 0, 100, [4; 32], 1), place(id(1)));
		assert_eq!((TARGET, 500, 120, [5; 32], 1), place(id(2)));
		assert_eq!((None, Some((2, 0))), (counts(OBJECT), counts(TARGET)));
		assert_eq!(Some(5), Objects::<Test>::get(TARGET).map(|object| object.stored_at));
		assert_eq!(
			vec![
				moved(id(1), OBJECT),
				moved(id(2), OBJECT),
				Event::ObjectRemoved { object: OBJECT, custodian: HOSPITAL },
				Event::ObjectStored { object: TARGET, custodian: HOSPITAL },
			],
			emr_events()
		);
	});
}

#[test]
fn an_object_counts_what_left_it_like_what_was_erased() {
	with_pack(|| {
		assert_ok!(Emr::store_emr(signed(APP), HOSPITAL, object(OBJECT, 4), record(id(4))));
		let two = batch(vec![record(id(1)), record(id(2))]);
		assert_ok!(Emr::move_records(signed(APP), HOSPITAL, object(TARGET, 2), two));
		assert_eq!((Some((1, 3)), Some((2, 0))), (counts(OBJECT), counts(TARGET)));
		assert_noop!(
			Emr::store_emr(signed(APP), HOSPITAL, object(OBJECT, 4), record(id(5))),
			Error::<Test>::ObjectFull
		);
	});
}

#[test]
fn a_batch_sent_again_changes_nothing() {
	with_pack(|| {
		let records = batch(vec![record(id(1)), sealed_anew(id(2))]);
		let target = object(TARGET, 2);
		assert_ok!(Emr::move_records(signed(APP), HOSPITAL, target, records.clone()));
		emr_events();
		let (before, deposit) = (Objects::<Test>::get(TARGET), held(HOSPITAL));
		let post = Emr::move_records(signed(APP), HOSPITAL, target, records);
		assert_eq!((before, deposit), (Objects::<Test>::get(TARGET), held(HOSPITAL)));
		assert_eq!(Pays::Yes, post.expect("operator; qed").pays_fee);
		let in_place = RejectReason::RecordInPlace;
		assert_eq!(vec![rejected(id(1), in_place), rejected(id(2), in_place)], emr_events());
	});
}

#[test]
fn what_cannot_be_moved_is_reported_and_the_rest_goes_on() {
	with_pack(|| {
		let target = object(TARGET, 2);
		assert_ok!(Emr::store_emr(signed(APP), HOSPITAL, target, record(id(6))));
		emr_events();
		let good = record(id(1));
		let records = batch(vec![
			record(id(9)),
			RecordInfo { patient: [8; 32], ..good },
			RecordInfo { format: RecordFormat::Dicom, ..good },
			RecordInfo { offset: 950, ..good },
		]);
		assert_ok!(Emr::move_records(signed(APP), HOSPITAL, target, records));
		assert_eq!(
			vec![
				rejected(id(9), RejectReason::RecordUnknown),
				rejected(id(1), RejectReason::RecordMismatch),
				rejected(id(1), RejectReason::RecordMismatch),
				rejected(id(1), RejectReason::OutsideObject),
			],
			emr_events()
		);
		let records = batch(vec![record(id(3)), sealed_anew(id(6)), good, record(id(2))]);
		assert_ok!(Emr::move_records(signed(APP), HOSPITAL, target, records));
		assert_eq!(
			vec![
				moved(id(1), OBJECT),
				rejected(id(3), RejectReason::RecordErased),
				rejected(id(6), RejectReason::RecordMismatch),
				rejected(id(2), RejectReason::ObjectFull),
			],
			emr_events()
		);
		assert_eq!((Some((1, 2)), Some((2, 0))), (counts(OBJECT), counts(TARGET)));
	});
}

#[test]
fn only_the_custodian_moves_records() {
	with_pack(|| {
		let (target, one) = (object(TARGET, 1), || batch(vec![record(id(1))]));
		let post = Emr::move_records(signed(SIDECAR), CLINIC, target, one());
		assert_eq!(Pays::Yes, post.expect("operator of the clinic; qed").pays_fee);
		assert_eq!(vec![rejected(id(1), RejectReason::ObjectForeign)], emr_events());
		assert!(!Objects::<Test>::contains_key(TARGET));
		assert_noop!(
			Emr::move_records(signed(SIDECAR), CLINIC, object(OBJECT, 4), one()),
			Error::<Test>::ObjectForeign
		);
		assert_noop!(
			Emr::move_records(signed(SIDECAR), HOSPITAL, object(OBJECT, 3), one()),
			Error::<Test>::ObjectMismatch
		);
		assert_noop!(
			Emr::move_records(signed(SIDECAR), HOSPITAL, object(TARGET, 0), one()),
			Error::<Test>::ObjectInvalid
		);
		assert_noop!(
			Emr::move_records(signed(SIDECAR), HOSPITAL, target, batch(vec![])),
			Error::<Test>::BatchEmpty
		);
	});
}

#[test]
fn the_old_deposit_pays_for_the_new_one() {
	ExtBuilder::default().patient(None).record(RECORD).build_and_check(|| {
		let (before, price) = (held(HOSPITAL), Balances::minimum_balance());
		Balances::set_balance(&HOSPITAL, price);
		let one = batch(vec![record(RECORD)]);
		assert_ok!(Emr::move_records(signed(APP), HOSPITAL, object(TARGET, 1), one));
		assert_eq!((before, price), (held(HOSPITAL), Balances::free_balance(HOSPITAL)));
	});
}

#[test]
fn a_deposit_that_cannot_be_paid_changes_nothing() {
	with_pack(|| {
		// The old object stays for its other record, so the new one is paid on top.
		Balances::set_balance(&HOSPITAL, Balances::minimum_balance());
		let one = batch(vec![record(id(1))]);
		let before = held(HOSPITAL);
		let refused = Emr::move_records(signed(APP), HOSPITAL, object(TARGET, 1), one);
		assert!(refused.is_err());
		assert_eq!((before, Some((2, 1))), (held(HOSPITAL), counts(OBJECT)));
		assert_eq!(Vec::<Event<Test>>::new(), emr_events());
	});
}

#[test]
fn as_many_objects_as_records_are_emptied_by_one_batch() {
	let most = <<Test as Config>::MaxBatch as Get<u32>>::get() as u8;
	let builder =
		(1..=most).fold(ExtBuilder::default().patient(None), |builder, n| builder.record(id(n)));
	builder.build_and_check(|| {
		let records = batch((1..=most).rev().map(|n| record(id(n))).collect());
		let target = object(TARGET, u32::from(most));
		assert_ok!(Emr::move_records(signed(APP), HOSPITAL, target, records));
		assert_eq!(Some((u32::from(most), 0)), counts(TARGET));
		assert_eq!(1, Objects::<Test>::iter_keys().count());
		let removed = (1..=most)
			.map(|n| Event::ObjectRemoved { object: [n; 32], custodian: HOSPITAL })
			.collect::<Vec<_>>();
		assert_eq!(removed, emr_events()[most.into()..2 * usize::from(most)]);
	});
}

#[test]
fn grants_stay_and_their_keys_are_delivered_again() {
	with_pack(|| {
		let (purpose, old) = (Purpose::Treatment, escrowed(1));
		assert_ok!(Emr::grant_access(signed(ALICE), SCOPE, BOB, 50, purpose, old.clone()));
		let before = (held(ALICE), held(HOSPITAL), Grants::<Test>::get(SCOPE, BOB));
		let one = batch(vec![sealed_anew(RECORD)]);
		assert_ok!(Emr::move_records(signed(APP), HOSPITAL, object(TARGET, 1), one));
		assert_eq!(before.2, Emr::live_grant(RECORD, &BOB));

		let new = KeyState::Escrowed { digest: [2; 32], key_version: 1 };
		let delivery = |key: &KeyState| {
			let key = KeyDelivery { scope: SCOPE, grantee: BOB, key: key.clone() };
			BoundedVec::truncate_from(vec![key])
		};
		emr_events();
		assert_ok!(Emr::deliver_keys(signed(SIDECAR), HOSPITAL, delivery(&new)));
		let grant = Emr::live_grant(RECORD, &BOB).expect("given; qed");
		assert_eq!((new, ALICE, before.0), (grant.key, grant.payer, held(ALICE)));
		let delivered =
			Event::KeyDelivered { scope: SCOPE, grantee: BOB, custodian: HOSPITAL, key_version: 1 };
		assert_eq!(vec![delivered], emr_events());
		assert_ok!(Emr::erase_record(signed(APP), HOSPITAL, RECORD));
		assert!(Emr::live_grant(RECORD, &BOB).is_none());
	});
}
