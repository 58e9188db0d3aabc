use super::*;
use frame_support::{BoundedVec, dispatch::Pays};

const SCOPE: Scope = Scope::Record(RECORD);

fn pending() -> ExtBuilder {
	ExtBuilder::default().patient(Some(ALICE)).record(RECORD).key(BOB)
}

fn grant_pending(grantee: AccountId) {
	let key = KeyState::Pending;
	assert_ok!(Emr::grant_access(signed(ALICE), SCOPE, grantee, 10, Purpose::Treatment, key));
	emr_events();
}

fn deliver(
	keys: Vec<KeyDelivery<AccountId>>,
) -> BoundedVec<KeyDelivery<AccountId>, <Test as Config>::MaxBatch> {
	keys.try_into().expect("within MaxBatch; qed")
}

fn key(grantee: AccountId, key: KeyState) -> KeyDelivery<AccountId> {
	KeyDelivery { scope: SCOPE, grantee, key }
}

#[test]
fn a_pending_key_is_delivered_into_escrow_at_no_cost_to_anybody() {
	pending().build_and_check(|| {
		grant_pending(BOB);
		let before = (held(ALICE), held(HOSPITAL));
		let keys = deliver(vec![key(BOB, escrowed(1))]);
		let post = Emr::deliver_keys(signed(SIDECAR), HOSPITAL, keys).expect("operator; qed");

		assert_eq!((Pays::No, before), (post.pays_fee, (held(ALICE), held(HOSPITAL))));
		assert_eq!(escrowed(1), Grants::<Test>::get(SCOPE, BOB).expect("given; qed").key);
		assert_eq!(
			vec![Event::KeyDelivered {
				scope: SCOPE,
				grantee: BOB,
				custodian: HOSPITAL,
				key_version: 1
			}],
			emr_events()
		);
	});
}

#[test]
fn the_custodian_takes_the_deposit_of_an_inline_key_over() {
	pending().build_and_check(|| {
		let before = held(HOSPITAL);
		grant_pending(BOB);
		assert_ok!(Emr::deliver_keys(
			signed(SIDECAR),
			HOSPITAL,
			deliver(vec![key(BOB, inline(1))])
		));

		assert_eq!(0, held(ALICE));
		assert!(held(HOSPITAL) > before);
		assert_ok!(Emr::revoke_access(signed(ALICE), SCOPE, BOB));
		assert_eq!(before, held(HOSPITAL));
	});
}

#[test]
fn a_new_encryption_key_is_wrapped_to_again() {
	pending().build_and_check(|| {
		grant_pending(BOB);
		let old = deliver(vec![key(BOB, escrowed(1))]);
		assert_ok!(Emr::deliver_keys(signed(SIDECAR), HOSPITAL, old));
		assert_ok!(Emr::set_encryption_key(signed(BOB), Box::new([8; 1216])));
		let new = deliver(vec![key(BOB, escrowed(2))]);
		assert_ok!(Emr::deliver_keys(signed(SIDECAR), HOSPITAL, new));
		let grant = Grants::<Test>::get(SCOPE, BOB).expect("given; qed");
		assert_eq!(Some(2), grant.key.key_version());
	});
}

#[test]
fn what_cannot_be_delivered_is_reported_and_the_rest_goes_on() {
	pending().build_and_check(|| {
		let nobody = [8; 32];
		grant_pending(BOB);
		grant_pending(APP);
		let short = KeyState::Inline {
			wrapped: vec![1; 7].try_into().expect("within bound; qed"),
			key_version: 1,
		};
		let unknown = KeyDelivery { scope: Scope::Patient(nobody), grantee: BOB, key: escrowed(1) };
		let batches = [
			(key(APP, escrowed(1)), RejectReason::NoEncryptionKey),
			(key(BOB, escrowed(2)), RejectReason::EncryptionKeyStale),
			(key(BOB, KeyState::Pending), RejectReason::KeyMissing),
			(key(BOB, short), RejectReason::WrappedKeyInvalid),
			(unknown, RejectReason::GrantUnknown),
		];
		for (bad, reason) in batches {
			let keys = deliver(vec![bad.clone(), key(BOB, escrowed(1))]);
			assert_ok!(Emr::deliver_keys(signed(SIDECAR), HOSPITAL, keys));
			let (scope, grantee) = (bad.scope, bad.grantee);
			let delivered = Event::KeyDelivered {
				scope: SCOPE,
				grantee: BOB,
				custodian: HOSPITAL,
				key_version: 1,
			};
			let rejected = Event::KeyRejected { scope, grantee, reason };
			assert_eq!(vec![rejected, delivered], emr_events());
		}
		assert_noop!(
			Emr::deliver_keys(signed(SIDECAR), HOSPITAL, deliver(vec![])),
			Error::<Test>::BatchEmpty
		);
	});
}

#[test]
fn only_the_patients_organisation_delivers_and_only_while_the_grant_lives() {
	pending().build_and_check(|| {
		grant_pending(BOB);
		let keys = deliver(vec![key(BOB, escrowed(1))]);
		assert_ok!(Emr::deliver_keys(signed(SIDECAR), CLINIC, keys.clone()));
		run_to_block(10);
		assert_ok!(Emr::deliver_keys(signed(SIDECAR), HOSPITAL, keys));
		let rejected = |reason| Event::KeyRejected { scope: SCOPE, grantee: BOB, reason };
		let expected =
			vec![rejected(RejectReason::PatientUnknown), rejected(RejectReason::GrantExpired)];
		assert_eq!(expected, emr_events());
	});
}

#[test]
fn an_inline_key_that_the_custodian_cannot_pay_for_is_left_out() {
	pending().build_and_check(|| {
		grant_pending(BOB);
		let all = Balances::free_balance(HOSPITAL);
		assert_ok!(Balances::transfer_allow_death(signed(HOSPITAL), ALICE, all - 100));
		let before = (held(ALICE), held(HOSPITAL));
		let keys = deliver(vec![key(BOB, inline(1))]);
		assert_ok!(Emr::deliver_keys(signed(SIDECAR), HOSPITAL, keys));
		let reason = RejectReason::DepositUnpayable;
		assert_eq!(vec![Event::KeyRejected { scope: SCOPE, grantee: BOB, reason }], emr_events());
		assert_eq!(before, (held(ALICE), held(HOSPITAL)));
	});
}
