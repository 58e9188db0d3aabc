//! Random sequences of calls, against a model of what they mean.
//!
//! The model knows no deposits and no index; those are checked after each step by
//! [`check`](crate::mock::check): holds equal tickets, counters equal entries, no grant outlives
//! what it covers.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use frame_support::{BoundedVec, traits::Hooks};
use proptest::prelude::*;

type Weights = <Test as Config>::WeightInfo;

const READERS: [AccountId; 3] = [BOB, DOCTOR, APP];
const DECIDERS: [AccountId; 3] = [ALICE, SIDECAR, BOB];
const PATIENTS: [PatientId; 2] = [[101; 32], [102; 32]];
const RECORDS: [RecordId; 4] = [[1; 16], [2; 16], [3; 16], [4; 16]];
const PACKS: [ObjectId; 2] = [[201; 32], [202; 32]];
/// Fewer than there are records, so that a pack can be full.
const PACK_SIZE: u32 = 3;

#[derive(Clone, Debug)]
enum Op {
	Register { patient: PatientId, claimed: bool },
	Hand { patient: PatientId, by: AccountId, to: AccountId },
	Store { pack: ObjectId, record: RecordId, patient: PatientId },
	Move { pack: ObjectId, record: RecordId, patient: PatientId, anew: bool },
	Erase { record: RecordId },
	Grant { by: AccountId, scope: Scope, to: AccountId, blocks: u64, inline: bool },
	Revoke { by: AccountId, scope: Scope, to: AccountId },
	Deliver { scope: Scope, to: AccountId, inline: bool },
	Emergency { scope: Scope, by: AccountId },
	Request { record: RecordId, by: AccountId, blocks: u64 },
	Deny { record: RecordId, by: AccountId, of: AccountId },
	Purge { skip: usize },
	Idle { items: u64 },
	Wait { blocks: u64 },
}

#[derive(Clone)]
struct Given {
	expires_at: u64,
	has_key: bool,
}

#[derive(Default)]
struct Model {
	now: u64,
	/// Controllers.
	patients: BTreeMap<PatientId, AccountId>,
	/// Pack and patient, or nothing where it was erased.
	records: BTreeMap<RecordId, Option<(ObjectId, PatientId)>>,
	/// Records that were ever anchored in the pack as it stands.
	used: BTreeMap<ObjectId, u32>,
	grants: BTreeMap<(Scope, AccountId), Given>,
	requests: BTreeMap<(RecordId, AccountId), u64>,
}

impl Model {
	fn live(&self, record: RecordId) -> Option<(ObjectId, PatientId)> {
		self.records.get(&record).copied().flatten()
	}

	fn patient_of(&self, scope: Scope) -> Option<PatientId> {
		match scope {
			Scope::Patient(patient) => self.patients.contains_key(&patient).then_some(patient),
			Scope::Record(record) => self.live(record).map(|(_, patient)| patient),
		}
	}

	fn decides(&self, who: AccountId, scope: Scope) -> bool {
		let controller = self.patient_of(scope).map(|patient| self.patients[&patient]);
		controller == Some(who) || (controller == Some(HOSPITAL) && who == SIDECAR)
	}

	fn count(&self, scope: Scope) -> usize {
		self.grants.keys().filter(|(of, _)| *of == scope).count()
	}

	fn may_read(&self, record: RecordId, reader: AccountId) -> bool {
		let Some((_, patient)) = self.live(record) else { return false };
		[Scope::Record(record), Scope::Patient(patient)]
			.into_iter()
			.filter_map(|scope| self.grants.get(&(scope, reader)))
			.any(|given| self.now < given.expires_at)
	}

	fn due(&self) -> Vec<Expirable<AccountId>> {
		let grants = self.grants.iter().filter(|(_, given)| given.expires_at <= self.now);
		let requests = self.requests.iter().filter(|(_, expires_at)| **expires_at <= self.now);
		grants
			.map(|((scope, who), _)| Expirable::Grant(*scope, *who))
			.chain(requests.map(|((record, who), _)| Expirable::Request(*record, *who)))
			.collect()
	}

	fn drop_if_empty(&mut self, pack: ObjectId) {
		if !self.records.values().flatten().any(|(of, _)| *of == pack) {
			self.used.remove(&pack);
		}
	}

	fn forget(&mut self, item: &Expirable<AccountId>) {
		match item {
			Expirable::Grant(scope, who) => drop(self.grants.remove(&(*scope, *who))),
			Expirable::Request(record, who) => drop(self.requests.remove(&(*record, *who))),
		}
	}
}

impl Op {
	/// Run on the pallet and on the model, and compare whether it was allowed.
	fn run(self, model: &mut Model) {
		let shown = format!("{self:?}");
		let (expected, done) = match self {
			Self::Register { patient, claimed } => register(model, patient, claimed),
			Self::Hand { patient, by, to } => hand(model, patient, by, to),
			Self::Store { pack, record, patient } => store(model, pack, record, patient),
			Self::Move { pack, record, patient, anew } => {
				move_to(model, pack, record, patient, anew)
			},
			Self::Erase { record } => erase(model, record),
			Self::Grant { by, scope, to, blocks, inline } => {
				grant(model, by, scope, to, blocks, inline)
			},
			Self::Revoke { by, scope, to } => revoke(model, by, scope, to),
			Self::Deliver { scope, to, inline } => deliver(model, scope, to, inline),
			Self::Emergency { scope, by } => emergency(model, scope, by),
			Self::Request { record, by, blocks } => request(model, record, by, blocks),
			Self::Deny { record, by, of } => deny(model, record, by, of),
			Self::Purge { skip } => purge(model, skip),
			Self::Idle { items } => idle(model, items),
			Self::Wait { blocks } => wait(model, blocks),
		};
		assert_eq!(expected, done, "{shown} in block {}", model.now);
	}
}

fn register(model: &mut Model, patient: PatientId, claimed: bool) -> (bool, bool) {
	let controller = claimed.then_some(ALICE);
	let expected = !model.patients.contains_key(&patient);
	if expected {
		model.patients.insert(patient, controller.unwrap_or(HOSPITAL));
	}
	(expected, Emr::register_patient(signed(SIDECAR), HOSPITAL, patient, controller).is_ok())
}

fn hand(model: &mut Model, patient: PatientId, by: AccountId, to: AccountId) -> (bool, bool) {
	let expected = model.decides(by, Scope::Patient(patient));
	if expected {
		model.patients.insert(patient, to);
	}
	let offered = Emr::offer_patient(signed(by), patient, to);
	(expected, offered.and_then(|()| Emr::claim_patient(signed(to), patient)).is_ok())
}

fn store(model: &mut Model, pack: ObjectId, id: RecordId, patient: PatientId) -> (bool, bool) {
	let used = model.used.get(&pack).copied().unwrap_or_default();
	let expected = !model.records.contains_key(&id)
		&& used < PACK_SIZE
		&& model.patients.contains_key(&patient);
	if expected {
		model.records.insert(id, Some((pack, patient)));
		model.used.insert(pack, used + 1);
	}
	let info = RecordInfo { patient, ..record(id) };
	let done = Emr::store_emr(signed(APP), HOSPITAL, object(pack, PACK_SIZE), info);
	(expected, done.is_ok())
}

fn move_to(
	model: &mut Model,
	pack: ObjectId,
	id: RecordId,
	patient: PatientId,
	anew: bool,
) -> (bool, bool) {
	let used = model.used.get(&pack).copied().unwrap_or_default();
	let place = model.live(id);
	let expected =
		used < PACK_SIZE && place.is_some_and(|(from, whose)| from != pack && whose == patient);
	if let (true, Some((from, _))) = (expected, place) {
		model.records.insert(id, Some((pack, patient)));
		model.used.insert(pack, used + 1);
		model.drop_if_empty(from);
	}
	let digest = if anew { [5; 32] } else { [4; 32] };
	let info = RecordInfo { patient, digest, ..record(id) };
	let records = BoundedVec::truncate_from(vec![info]);
	emr_events();
	assert_ok!(Emr::move_records(signed(APP), HOSPITAL, object(pack, PACK_SIZE), records));
	(expected, matches!(emr_events()[0], Event::RecordMoved { .. }))
}

fn erase(model: &mut Model, record: RecordId) -> (bool, bool) {
	let place = model.live(record);
	if let Some((pack, _)) = place {
		model.records.insert(record, None);
		model.grants.retain(|(scope, _), _| *scope != Scope::Record(record));
		model.drop_if_empty(pack);
	}
	(place.is_some(), Emr::erase_record(signed(SIDECAR), HOSPITAL, record).is_ok())
}

fn grant(
	model: &mut Model,
	by: AccountId,
	scope: Scope,
	to: AccountId,
	blocks: u64,
	with_key: bool,
) -> (bool, bool) {
	let expires_at = model.now + blocks;
	let replaces = model.grants.contains_key(&(scope, to));
	let expected = model.decides(by, scope)
		&& (1..=100).contains(&blocks)
		&& (to == BOB || !with_key)
		&& (replaces || model.count(scope) < 2);
	if expected {
		model.grants.insert((scope, to), Given { expires_at, has_key: with_key });
		if let Scope::Record(record) = scope {
			model.requests.remove(&(record, to));
		}
	}
	let key = if with_key { inline(1) } else { KeyState::Pending };
	let done = Emr::grant_access(signed(by), scope, to, expires_at, Purpose::Treatment, key);
	(expected, done.is_ok())
}

fn revoke(model: &mut Model, by: AccountId, scope: Scope, to: AccountId) -> (bool, bool) {
	let expected = model.decides(by, scope) && model.grants.contains_key(&(scope, to));
	if expected {
		model.grants.remove(&(scope, to));
	}
	(expected, Emr::revoke_access(signed(by), scope, to).is_ok())
}

fn deliver(model: &mut Model, scope: Scope, to: AccountId, with_key: bool) -> (bool, bool) {
	let now = model.now;
	let given = model.grants.get_mut(&(scope, to)).filter(|given| now < given.expires_at);
	let expected = to == BOB && given.is_some();
	if let (true, Some(given)) = (expected, given) {
		given.has_key = true;
	}
	let key = if with_key { inline(1) } else { escrowed(1) };
	let delivery = KeyDelivery { scope, grantee: to, key };
	let keys = BoundedVec::truncate_from(vec![delivery]);
	emr_events();
	assert_ok!(Emr::deliver_keys(signed(SIDECAR), HOSPITAL, keys));
	(expected, matches!(emr_events()[..], [Event::KeyDelivered { .. }]))
}

fn emergency(model: &mut Model, scope: Scope, by: AccountId) -> (bool, bool) {
	let expires_at = model.now + 20;
	let present = model.grants.get(&(scope, by)).filter(|given| model.now < given.expires_at);
	let has_key = present.is_some_and(|given| given.has_key);
	let lasts_longer = present.is_some_and(|given| given.expires_at >= expires_at);
	let expected = by == DOCTOR && model.patient_of(scope).is_some() && !lasts_longer;
	if expected {
		model.grants.insert((scope, by), Given { expires_at, has_key });
	}
	let reason = EmergencyReason::ThreatToLife;
	(expected, Emr::open_emergency_access(signed(by), scope, reason).is_ok())
}

fn request(model: &mut Model, record: RecordId, by: AccountId, blocks: u64) -> (bool, bool) {
	let expires_at = model.now + blocks;
	let expected = model.live(record).is_some() && (1..=50).contains(&blocks);
	if expected {
		model.requests.insert((record, by), expires_at);
	}
	let done = Emr::request_access(signed(by), record, Purpose::Research, expires_at);
	(expected, done.is_ok())
}

fn deny(model: &mut Model, record: RecordId, by: AccountId, of: AccountId) -> (bool, bool) {
	let stands = model.requests.get(&(record, of)).is_some_and(|end| model.now < *end);
	let expected = model.decides(by, Scope::Record(record)) && stands;
	if expected {
		model.requests.remove(&(record, of));
	}
	(expected, Emr::deny_request(signed(by), record, of).is_ok())
}

/// Name up to four things of which some are due.
fn purge(model: &mut Model, skip: usize) -> (bool, bool) {
	let grants = model.grants.keys().map(|(scope, who)| Expirable::Grant(*scope, *who));
	let requests = model.requests.keys().map(|(record, who)| Expirable::Request(*record, *who));
	let named = grants.chain(requests).skip(skip).take(4).collect::<Vec<_>>();
	let mut due = model.due();
	due.extend(named.iter().filter_map(|item| match item {
		Expirable::Request(record, _) if model.live(*record).is_none() => Some(item.clone()),
		_ => None,
	}));
	named.iter().filter(|item| due.contains(item)).for_each(|item| model.forget(item));
	let items = BoundedVec::truncate_from(named.clone());
	(!named.is_empty(), Emr::purge_expired(signed(POOR), items).is_ok())
}

/// As many are removed as the weight allows, and each of them was due.
fn idle(model: &mut Model, items: u64) -> (bool, bool) {
	let base = Weights::on_idle(0);
	let limit = base + (Weights::on_idle(1) - base) * items;
	let due = model.due();
	assert!(Emr::on_idle(model.now, limit).all_lte(limit));
	let gone = due.iter().filter(|item| !stands(item)).cloned().collect::<Vec<_>>();
	gone.iter().for_each(|item| model.forget(item));
	let most =
		items.min(<<Test as Config>::MaxBatch as frame_support::traits::Get<u32>>::get().into());
	(true, gone.len() as u64 == most.min(due.len() as u64))
}

fn stands(item: &Expirable<AccountId>) -> bool {
	match item {
		Expirable::Grant(scope, who) => Grants::<Test>::contains_key(scope, who),
		Expirable::Request(record, who) => AccessRequests::<Test>::contains_key(record, who),
	}
}

fn wait(model: &mut Model, blocks: u64) -> (bool, bool) {
	model.now += blocks;
	run_to_block(model.now);
	(true, true)
}

fn compare(model: &Model) {
	check();
	for record in RECORDS {
		for reader in READERS {
			let reads = Emr::live_grant(record, &reader).is_some();
			assert_eq!(model.may_read(record, reader), reads, "{record:?} by {reader}");
		}
	}
	for (id, (pack, _)) in model.records.iter().filter_map(|(id, place)| Some((id, (*place)?))) {
		assert_eq!(pack, Emr::live_record(*id).expect("in the model; qed").object);
	}
	let used = Objects::<Test>::iter().map(|(id, object)| (id, object.anchored + object.erased));
	assert_eq!(model.used, used.collect::<BTreeMap<_, _>>());
	let keys = Grants::<Test>::iter().map(|(scope, who, grant)| {
		((scope, who), (grant.expires_at, grant.key != KeyState::Pending))
	});
	let known = model.grants.iter().map(|(key, given)| (*key, (given.expires_at, given.has_key)));
	assert_eq!(known.collect::<BTreeMap<_, _>>(), keys.collect::<BTreeMap<_, _>>());
	let asked = AccessRequests::<Test>::iter_keys().collect::<BTreeSet<_>>();
	assert_eq!(model.requests.keys().copied().collect::<BTreeSet<_>>(), asked);
	let live = model.records.values().flatten().count();
	let listed = PATIENTS.map(|patient| Emr::records_page(patient, None, 99).items.len());
	assert_eq!(live, listed.into_iter().sum::<usize>());
}

fn ops() -> impl Strategy<Value = Op> {
	use prop::sample::select;
	let patient = || select(&PATIENTS[..]);
	let record = || select(&RECORDS[..]);
	let reader = || select(&READERS[..]);
	let decider = || select(&DECIDERS[..]);
	let scope =
		|| prop_oneof![patient().prop_map(Scope::Patient), record().prop_map(Scope::Record)];
	prop_oneof![
		1 => (patient(), any::<bool>()).prop_map(|(patient, claimed)| Op::Register { patient, claimed }),
		1 => (patient(), decider(), select(&[ALICE, BOB][..]))
			.prop_map(|(patient, by, to)| Op::Hand { patient, by, to }),
		3 => (select(&PACKS[..]), record(), patient())
			.prop_map(|(pack, record, patient)| Op::Store { pack, record, patient }),
		3 => (select(&PACKS[..]), record(), patient(), any::<bool>()).prop_map(
			|(pack, record, patient, anew)| Op::Move { pack, record, patient, anew }
		),
		1 => record().prop_map(|record| Op::Erase { record }),
		6 => (decider(), scope(), reader(), 0u64..=101, any::<bool>()).prop_map(
			|(by, scope, to, blocks, inline)| {
				// Mostly short, so that something expires.
				let blocks = if blocks < 95 { blocks % 12 } else { blocks };
				Op::Grant { by, scope, to, blocks, inline }
			}
		),
		2 => (decider(), scope(), reader()).prop_map(|(by, scope, to)| Op::Revoke { by, scope, to }),
		2 => (scope(), reader(), any::<bool>())
			.prop_map(|(scope, to, inline)| Op::Deliver { scope, to, inline }),
		1 => (scope(), reader()).prop_map(|(scope, by)| Op::Emergency { scope, by }),
		3 => (record(), reader(), 0u64..=51).prop_map(|(record, by, blocks)| {
			let blocks = if blocks < 45 { blocks % 12 } else { blocks };
			Op::Request { record, by, blocks }
		}),
		1 => (record(), decider(), reader()).prop_map(|(record, by, of)| Op::Deny { record, by, of }),
		2 => (0usize..6).prop_map(|skip| Op::Purge { skip }),
		2 => (0u64..6).prop_map(|items| Op::Idle { items }),
		3 => (1u64..8).prop_map(|blocks| Op::Wait { blocks }),
	]
}

proptest! {
	#![proptest_config(ProptestConfig {
		cases: 96,
		failure_persistence: None,
		..ProptestConfig::default()
	})]

	#[test]
	fn random_calls_do_what_the_model_says(ops in prop::collection::vec(ops(), 1..80)) {
		ExtBuilder::default().key(BOB).build_and_check(|| {
			let mut model = Model { now: 1, ..Model::default() };
			for op in ops {
				op.run(&mut model);
				compare(&model);
			}
		});
	}
}
