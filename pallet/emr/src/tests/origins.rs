//! Every call against every kind of origin.

use super::*;
use frame_support::{
	BoundedVec,
	traits::{GetCallName, UnfilteredDispatchable},
};
use sp_runtime::{DispatchError::BadOrigin, Permill, StateVersion};

const SCOPE: Scope = Scope::Record(RECORD);
const STORED: ObjectId = [RECORD[0]; 32];
/// Operates the clinic only.
const FOREIGN: AccountId = 41;

const EVERYBODY: [AccountId; 9] =
	[HOSPITAL, SIDECAR, DOCTOR, ALICE, BOB, APP, CLINIC, FOREIGN, POOR];

/// A call, and who may make it.
type Row = (Call<Test>, &'static [AccountId]);

fn one<Item: core::fmt::Debug, Bound: frame_support::traits::Get<u32>>(
	item: Item,
) -> BoundedVec<Item, Bound> {
	vec![item].try_into().expect("room for one; qed")
}

fn parties() -> Vec<Row> {
	let organisation = HOSPITAL;
	let controller = None;
	vec![
		(
			Call::register_organisation { operators: Default::default() },
			// All but those who are one already, and the one who cannot pay.
			&[SIDECAR, DOCTOR, ALICE, BOB, APP, FOREIGN],
		),
		(Call::set_operators { operators: one(BOB) }, &[HOSPITAL, CLINIC]),
		(Call::set_emergency_members { members: one(BOB) }, &[HOSPITAL, CLINIC]),
		(
			Call::register_patient { organisation, patient: [2; 32], controller },
			&[HOSPITAL, SIDECAR, APP],
		),
		(
			Call::register_patients { organisation, patients: one(([2; 32], controller)) },
			&[HOSPITAL, SIDECAR, APP],
		),
		(Call::offer_patient { patient: PATIENT, to: APP }, &[ALICE]),
		(Call::claim_patient { patient: PATIENT }, &[BOB]),
		(
			Call::set_encryption_key { public: Box::new([0; 1216]) },
			&[HOSPITAL, SIDECAR, DOCTOR, ALICE, BOB, APP, CLINIC, FOREIGN],
		),
	]
}

fn records() -> Vec<Row> {
	let organisation = HOSPITAL;
	let (object, record) = (object(OBJECT, 1), record([2; 16]));
	let health = HealthReport { object: STORED, health: Permill::one(), replicas: 3, nodes: 12 };
	let integrity = IntegrityReport {
		object: STORED,
		scheme: ProofScheme::Private,
		outcome: AuditOutcome::Passed,
		challenged_at: 1,
		proof_digest: [0; 32],
	};
	let operators = &[HOSPITAL, SIDECAR, APP];
	vec![
		(Call::store_emr { organisation, object, record }, operators),
		(Call::store_emr_batch { organisation, object, records: one(record) }, operators),
		(
			Call::move_records { organisation, object, records: one(self::record(RECORD)) },
			operators,
		),
		(Call::erase_record { organisation, record: RECORD }, operators),
		(
			Call::commit_proof { organisation, object: STORED, key: [0; 96], tags: [0; 32] },
			operators,
		),
		(Call::report_storage_health { organisation, reports: one(health) }, operators),
		(Call::report_integrity { organisation, reports: one(integrity) }, operators),
	]
}

fn access() -> Vec<Row> {
	let (organisation, purpose, expires_at) = (HOSPITAL, Purpose::Treatment, 9);
	let key = KeyState::Pending;
	let delivery = KeyDelivery { scope: SCOPE, grantee: BOB, key: escrowed(1) };
	vec![
		(
			Call::request_access { record: RECORD, purpose, expires_at },
			&[HOSPITAL, SIDECAR, DOCTOR, ALICE, BOB, APP, CLINIC, FOREIGN],
		),
		(Call::grant_access { scope: SCOPE, grantee: APP, expires_at, purpose, key }, &[ALICE]),
		(Call::deny_request { record: RECORD, requester: BOB }, &[ALICE]),
		(Call::revoke_access { scope: SCOPE, grantee: BOB }, &[ALICE]),
		(Call::deliver_keys { organisation, keys: one(delivery) }, &[HOSPITAL, SIDECAR, APP]),
		(
			Call::open_emergency_access { scope: SCOPE, reason: EmergencyReason::MassCasualty },
			&[DOCTOR],
		),
		(Call::purge_expired { items: one(Expirable::Grant(SCOPE, BOB)) }, &EVERYBODY),
	]
}

/// A claimed patient with a record, a grant and a request of Bob's, and an offer to Bob.
fn scene(test: impl FnOnce()) {
	ExtBuilder::default().patient(Some(ALICE)).record(RECORD).key(BOB).build_and_check(|| {
		use frame_support::traits::fungible::Mutate;
		Balances::set_balance(&FOREIGN, 1_000_000);
		assert_ok!(Emr::set_operators(signed(CLINIC), one(FOREIGN)));
		let (purpose, key) = (Purpose::Treatment, KeyState::Pending);
		assert_ok!(Emr::grant_access(signed(ALICE), SCOPE, BOB, 9, purpose, key));
		assert_ok!(Emr::request_access(signed(BOB), RECORD, purpose, 9));
		assert_ok!(Emr::offer_patient(signed(ALICE), PATIENT, BOB));
		run_to_block(2);
		test();
	});
}

#[test]
fn every_call_is_open_to_those_it_names_and_to_nobody_else() {
	for (call, allowed) in [parties(), records(), access()].concat() {
		for who in EVERYBODY {
			scene(|| {
				let before = sp_io::storage::root(StateVersion::V1);
				let outcome = call.clone().dispatch_bypass_filter(signed(who));
				let name = call.get_call_name();
				assert_eq!(allowed.contains(&who), outcome.is_ok(), "{name} by {who}: {outcome:?}");
				if outcome.is_err() {
					let after = sp_io::storage::root(StateVersion::V1);
					assert_eq!(before, after, "{name} by {who} was refused and changed something");
				}
			});
		}
		for origin in [RuntimeOrigin::root(), RuntimeOrigin::none()] {
			scene(|| {
				assert_noop!(call.clone().dispatch_bypass_filter(origin), BadOrigin);
			});
		}
	}
}

/// A new call needs a row.
#[test]
fn the_table_has_every_call() {
	let rows = [parties(), records(), access()].concat();
	let mut named = rows.iter().map(|(call, _)| call.get_call_name()).collect::<Vec<_>>();
	let mut all = Call::<Test>::get_call_names().to_vec();
	named.sort();
	all.sort();
	assert_eq!(all, named);
}
