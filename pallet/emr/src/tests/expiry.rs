use super::*;
use frame_support::{BoundedVec, dispatch::Pays, traits::Hooks, weights::Weight};

const SCOPE: Scope = Scope::Record(RECORD);

type Weights = <Test as Config>::WeightInfo;
type Items = BoundedVec<Expirable<AccountId>, <Test as Config>::MaxBatch>;

fn items(list: Vec<Expirable<AccountId>>) -> Items {
	list.try_into().expect("within MaxBatch; qed")
}

/// A grant of Bob's until block 5 and a request of his until block 6, on different records.
fn expiring() -> ExtBuilder {
	ExtBuilder::default().patient(Some(ALICE)).record(RECORD).record([2; 16])
}

fn prepare() -> (Expirable<AccountId>, Expirable<AccountId>) {
	let (purpose, key) = (Purpose::Treatment, KeyState::Pending);
	assert_ok!(Emr::grant_access(signed(ALICE), SCOPE, BOB, 5, purpose, key));
	assert_ok!(Emr::request_access(signed(BOB), [2; 16], purpose, 6));
	emr_events();
	(Expirable::Grant(SCOPE, BOB), Expirable::Request([2; 16], BOB))
}

fn access_expired(expires_at: u64) -> Event<Test> {
	Event::AccessExpired { scope: SCOPE, grantee: BOB, expires_at, custodian: HOSPITAL }
}

fn request_expired(expires_at: u64) -> Event<Test> {
	Event::RequestExpired { record: [2; 16], requester: BOB, expires_at, custodian: HOSPITAL }
}

#[test]
fn anybody_purges_what_is_due_and_the_deposits_go_back() {
	expiring().build_and_check(|| {
		let (grant, request) = prepare();
		run_to_block(6);
		let post = Emr::purge_expired(signed(POOR), items(vec![grant, request])).expect("ok; qed");

		assert_eq!((Pays::No, 0, 0), (post.pays_fee, held(ALICE), held(BOB)));
		assert_eq!(vec![access_expired(5), request_expired(6),], emr_events());
	});
}

#[test]
fn what_is_not_due_stays_and_costs_the_fee() {
	expiring().build_and_check(|| {
		let (grant, request) = prepare();
		let unknown = Expirable::Grant(SCOPE, APP);
		let gone = Expirable::Request(RECORD, APP);
		run_to_block(5);
		let list = vec![grant, request.clone(), unknown.clone(), gone.clone()];
		let post = Emr::purge_expired(signed(POOR), items(list)).expect("ok; qed");

		assert_eq!(Pays::Yes, post.pays_fee);
		let rejected = |item, reason| Event::PurgeRejected { item, reason };
		assert_eq!(
			vec![
				access_expired(5),
				rejected(request, RejectReason::NotDue),
				rejected(unknown, RejectReason::GrantUnknown),
				rejected(gone, RejectReason::RequestUnknown),
			],
			emr_events()
		);
		assert_noop!(Emr::purge_expired(signed(POOR), items(vec![])), Error::<Test>::BatchEmpty);
	});
}

#[test]
fn a_request_for_an_erased_record_is_due_at_once() {
	expiring().build_and_check(|| {
		let (_, request) = prepare();
		assert_ok!(Emr::erase_record(signed(SIDECAR), HOSPITAL, [2; 16]));
		emr_events();
		assert_ok!(Emr::purge_expired(signed(POOR), items(vec![request])));
		assert_eq!((0, vec![request_expired(6)]), (held(BOB), emr_events()));
	});
}

#[test]
fn idle_time_removes_what_is_due_as_far_as_its_weight_goes() {
	let base = Weights::on_idle(0);
	let item = Weights::on_idle(1) - base;
	let nearly = base + item - Weight::from_parts(1, 0);
	let weights = [
		(Weight::zero(), 0),
		(base - Weight::from_parts(1, 0), 0),
		(base, 0),
		(nearly, 0),
		(base + item, 1),
		(base + item + item, 2),
		(Weight::MAX, 2),
	];
	for (limit, removed) in weights {
		expiring().build_and_check(|| {
			prepare();
			run_to_block(6);
			let used = Emr::on_idle(6, limit);
			assert!(used.all_lte(limit));
			assert_eq!(removed, emr_events().len());
			assert_eq!(2 - removed, Expiries::<Test>::iter_keys().count());
		});
	}
}

#[test]
fn idle_time_begins_with_the_earliest_and_leaves_what_is_not_due() {
	expiring().build_and_check(|| {
		prepare();
		run_to_block(4);
		Emr::on_idle(4, Weight::MAX);
		assert_eq!(Vec::<Event<Test>>::new(), emr_events());
		run_to_block(5);
		Emr::on_idle(5, Weight::MAX);
		assert_eq!(vec![access_expired(5)], emr_events());
		let removed = (caregrid_expiry::DueBlock::new(5u64), Expirable::Grant(SCOPE, BOB));
		assert_eq!(Some(removed), ExpiryCursor::<Test>::get());
		// Behind the cursor the search finds what comes later, and what is given later.
		let (purpose, key) = (Purpose::Treatment, KeyState::Pending);
		assert_ok!(Emr::grant_access(signed(ALICE), SCOPE, BOB, 6, purpose, key));
		run_to_block(7);
		emr_events();
		Emr::on_idle(7, Weight::MAX);
		assert_eq!(2, emr_events().len());
		assert_eq!(0, held(ALICE) + held(BOB));
	});
}

#[test]
fn a_renewed_grant_is_not_removed_at_its_old_expiry() {
	expiring().build_and_check(|| {
		let (grant, _) = prepare();
		let (purpose, key) = (Purpose::Treatment, KeyState::Pending);
		assert_ok!(Emr::grant_access(signed(ALICE), SCOPE, BOB, 50, purpose, key));
		run_to_block(5);
		Emr::on_idle(5, Weight::MAX);
		let post = Emr::purge_expired(signed(POOR), items(vec![grant])).expect("ok; qed");
		assert_eq!(Pays::Yes, post.pays_fee);
		assert!(Emr::live_grant(RECORD, &BOB).is_some());
	});
}
