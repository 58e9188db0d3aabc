use super::*;
use crate::runtime_api::RecordView;

const ID: fn(u8) -> RecordId = |n| [n; 16];

fn three_records() -> ExtBuilder {
	(1..=3).fold(ExtBuilder::default().patient(None), |builder, n| builder.record(ID(n)))
}

fn grant(scope: Scope, grantee: AccountId, expires_at: u64) {
	let (purpose, key) = (Purpose::Treatment, KeyState::Pending);
	assert_ok!(Emr::grant_access(signed(APP), scope, grantee, expires_at, purpose, key));
}

#[test]
fn a_record_is_shown_with_its_custodian_and_so_is_its_tombstone() {
	three_records().build_and_check(|| {
		let view = Emr::record_view(ID(1)).expect("anchored; qed");
		let RecordView::Live { patient, custodian, anchored_at, .. } = view else {
			panic!("it is live");
		};
		assert_eq!((PATIENT, HOSPITAL, 1), (patient, custodian, anchored_at));
		assert_ok!(Emr::erase_record(signed(APP), HOSPITAL, ID(1)));
		let erased = RecordView::Erased { custodian: HOSPITAL, erased_at: 1 };
		assert_eq!(Some(erased), Emr::record_view(ID(1)));
		assert_eq!(None, Emr::record_view(ID(9)));
	});
}

#[test]
fn a_patients_records_come_in_pages_without_gap_or_repetition() {
	three_records().build_and_check(|| {
		let mut seen = Vec::new();
		let mut after = None;
		loop {
			let page = Emr::records_page(PATIENT, after, 1);
			assert!(page.items.len() <= 1);
			seen.extend(page.items);
			after = page.next;
			if after.is_none() {
				break;
			}
		}
		seen.sort();
		assert_eq!(vec![ID(1), ID(2), ID(3)], seen);
		assert_eq!(3, Emr::records_page(PATIENT, None, u32::MAX).items.len());
		// A limit of zero would never end.
		assert_eq!(1, Emr::records_page(PATIENT, None, 0).items.len());
		assert_eq!(0, Emr::records_page([9; 32], None, 9).items.len());
	});
}

#[test]
fn the_grants_of_a_record_are_its_own_and_its_patients_while_they_live() {
	three_records().build_and_check(|| {
		grant(Scope::Record(ID(1)), BOB, 5);
		grant(Scope::Record(ID(2)), BOB, 9);
		grant(Scope::Patient(PATIENT), ALICE, 9);
		let whole = Emr::grants_page(ID(1), None, 9);
		assert_eq!(None, whole.next);
		assert_eq!(
			vec![(Scope::Record(ID(1)), BOB), (Scope::Patient(PATIENT), ALICE)],
			whole.items.iter().map(|one| (one.scope, one.grantee)).collect::<Vec<_>>()
		);
		let first = Emr::grants_page(ID(1), None, 1);
		let second = Emr::grants_page(ID(1), first.next, 1);
		let third = Emr::grants_page(ID(1), second.next, 1);
		assert_eq!(whole.items, [first.items, second.items].concat());
		assert_eq!((0, None), (third.items.len(), third.next));

		run_to_block(5);
		let page = Emr::grants_page(ID(1), None, 1);
		assert_eq!((0, true), (page.items.len(), page.next.is_some()));
		assert_eq!(1, Emr::grants_page(ID(1), None, 9).items.len());
		assert!(Emr::live_grant_view(ID(1), BOB).is_none());
		let view = Emr::live_grant_view(ID(2), BOB).expect("live; qed");
		assert_eq!((Scope::Record(ID(2)), 1, HOSPITAL), (view.scope, view.granted_at, view.payer));
		assert_eq!(0, Emr::grants_page(ID(9), None, 9).items.len());
	});
}

#[test]
fn what_expires_in_a_range_comes_in_its_order() {
	three_records().build_and_check(|| {
		grant(Scope::Record(ID(1)), BOB, 9);
		grant(Scope::Record(ID(2)), BOB, 5);
		grant(Scope::Record(ID(3)), BOB, 7);
		let purpose = Purpose::Treatment;
		assert_ok!(Emr::request_access(signed(ALICE), ID(1), purpose, 6));
		let blocks = |from, until| {
			let page = Emr::expiring_page(from, until, None, 9);
			page.items.iter().map(|one| one.expires_at).collect::<Vec<_>>()
		};
		assert_eq!(vec![5, 7, 9], blocks(0, 100));
		assert_eq!(vec![5, 7], blocks(5, 9));
		assert_eq!(vec![7], blocks(6, 8));
		assert_eq!(Vec::<u64>::new(), blocks(10, 100));
		// What is asked for after an earlier block begins where it was told to begin.
		let early = Some((5, Expirable::Grant(Scope::Record(ID(2)), BOB)));
		let page = Emr::expiring_page(8, 100, early, 9);
		assert_eq!(vec![9], page.items.iter().map(|one| one.expires_at).collect::<Vec<_>>());

		let (mut seen, mut after) = (Vec::new(), None);
		for _ in 0..9 {
			let page = Emr::expiring_page(0, 100, after, 1);
			seen.extend(page.items.iter().map(|one| one.expires_at));
			after = page.next;
			if after.is_none() {
				break;
			}
		}
		assert_eq!((vec![5, 7, 9], None), (seen, after));
	});
}
