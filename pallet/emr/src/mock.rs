//! A runtime small enough for unit tests, with real balances and holds.

use codec::Encode;
use frame_support::{
	derive_impl, parameter_types,
	traits::{ConstU32, ConstU64, LinearStoragePrice, OnGenesis, fungible::HoldConsideration},
};
use sp_runtime::BuildStorage;
use std::collections::BTreeMap;

use crate::{self as pallet_emr, *};

pub type AccountId = u64;

pub const HOSPITAL: AccountId = 1;
pub const CLINIC: AccountId = 2;
pub const SIDECAR: AccountId = 11;
pub const APP: AccountId = 12;
pub const ALICE: AccountId = 21;
pub const BOB: AccountId = 22;
/// Of the hospital's emergency role.
pub const DOCTOR: AccountId = 31;
pub const POOR: AccountId = 99;

pub const PATIENT: PatientId = [7; 32];
pub const RECORD: RecordId = [1; 16];
pub const OBJECT: ObjectId = [9; 32];

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeHoldReason,
		RuntimeFreezeReason,
		RuntimeTask
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Balances = pallet_balances;
	#[runtime::pallet_index(2)]
	pub type Emr = pallet_emr;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlock<Test>;
	type AccountData = pallet_balances::AccountData<u64>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
}

parameter_types! {
	pub const OrganisationHold: RuntimeHoldReason = RuntimeHoldReason::Emr(HoldReason::Organisation);
	pub const PatientHold: RuntimeHoldReason = RuntimeHoldReason::Emr(HoldReason::Patient);
	pub const KeyHold: RuntimeHoldReason = RuntimeHoldReason::Emr(HoldReason::EncryptionKey);
	pub const ObjectHold: RuntimeHoldReason = RuntimeHoldReason::Emr(HoldReason::Object);
	pub const GrantHold: RuntimeHoldReason = RuntimeHoldReason::Emr(HoldReason::Grant);
	pub const RequestHold: RuntimeHoldReason = RuntimeHoldReason::Emr(HoldReason::Request);
}

type Price = LinearStoragePrice<ConstU64<10>, ConstU64<1>, u64>;
type Hold<Reason> = HoldConsideration<AccountId, Balances, Reason, Price>;

impl Config for Test {
	type OrganisationOrigin = frame_system::EnsureSigned<AccountId>;
	type OrganisationConsideration = Hold<OrganisationHold>;
	type PatientConsideration = Hold<PatientHold>;
	type KeyConsideration = Hold<KeyHold>;
	type ObjectConsideration = Hold<ObjectHold>;
	type GrantConsideration = Hold<GrantHold>;
	type RequestConsideration = Hold<RequestHold>;
	type MaxOperators = ConstU32<3>;
	type MaxEmergencyMembers = ConstU32<2>;
	type MaxBatch = ConstU32<4>;
	type MaxRecordsPerObject = ConstU32<8>;
	type MaxGrantsPerScope = ConstU32<2>;
	type MaxGrantDuration = ConstU64<100>;
	type MaxRequestDuration = ConstU64<50>;
	type EmergencyDuration = ConstU64<20>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Endow;
}

/// Gives benchmarks the tokens for any deposit.
#[cfg(feature = "runtime-benchmarks")]
pub struct Endow;

#[cfg(feature = "runtime-benchmarks")]
impl benchmarking::BenchmarkHelper<AccountId> for Endow {
	fn endow(account: &AccountId) {
		use frame_support::traits::fungible::Mutate;
		Balances::set_balance(account, 1_000_000_000);
	}
}

/// The state that benchmarks start from.
#[cfg(feature = "runtime-benchmarks")]
pub fn new_test_ext() -> sp_io::TestExternalities {
	let mut ext: sp_io::TestExternalities = genesis().into();
	ext.execute_with(|| {
		System::set_block_number(1);
		Emr::on_genesis();
	});
	ext
}

/// Builds the state that a test starts from.
#[derive(Default)]
pub struct ExtBuilder {
	patients: Vec<(PatientId, Option<AccountId>)>,
	records: Vec<RecordId>,
	keys: Vec<AccountId>,
}

impl ExtBuilder {
	/// A patient of the hospital, with a controller of his own or none.
	pub fn patient(mut self, controller: Option<AccountId>) -> Self {
		self.patients.push((PATIENT, controller));
		self
	}

	/// A record of that patient in an object of its own.
	pub fn record(mut self, id: RecordId) -> Self {
		self.records.push(id);
		self
	}

	/// An account with an encryption key.
	pub fn key(mut self, account: AccountId) -> Self {
		self.keys.push(account);
		self
	}

	/// Run a test in block 1 and check the invariants after it.
	pub fn build_and_check(self, test: impl FnOnce()) {
		let mut ext: sp_io::TestExternalities = genesis().into();
		ext.execute_with(|| {
			System::set_block_number(1);
			Emr::on_genesis();
			self.fill();
			System::reset_events();
			test();
			check();
		});
	}

	fn fill(self) {
		for organisation in [HOSPITAL, CLINIC] {
			let operators = vec![SIDECAR, APP].try_into().expect("within MaxOperators; qed");
			Emr::register_organisation(signed(organisation), operators).expect("funded; qed");
		}
		let members = vec![DOCTOR].try_into().expect("within MaxEmergencyMembers; qed");
		Emr::set_emergency_members(signed(HOSPITAL), members).expect("an organisation; qed");
		for (patient, controller) in self.patients {
			Emr::register_patient(signed(SIDECAR), HOSPITAL, patient, controller)
				.expect("ids differ; qed");
		}
		for id in self.records {
			let object = object([id[0]; 32], 1);
			Emr::store_emr(signed(SIDECAR), HOSPITAL, object, record(id)).expect("new; qed");
		}
		for account in self.keys {
			Emr::set_encryption_key(signed(account), Box::new([5; 1216])).expect("funded; qed");
		}
	}
}

fn genesis() -> sp_runtime::Storage {
	let mut storage =
		frame_system::GenesisConfig::<Test>::default().build_storage().expect("valid; qed");
	let rich = [HOSPITAL, CLINIC, SIDECAR, APP, ALICE, BOB, DOCTOR];
	pallet_balances::GenesisConfig::<Test> {
		balances: rich.map(|account| (account, 1_000_000)).into_iter().chain([(POOR, 5)]).collect(),
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.expect("valid; qed");
	storage
}

/// Check the pallet's invariants, and what it cannot know: that every account has on hold, for
/// each reason, what its tickets say.
pub fn check() {
	Emr::do_try_state().expect("an invariant is broken");
	let mut tickets = BTreeMap::<(AccountId, Vec<u8>), u64>::new();
	let mut add = |account, reason: RuntimeHoldReason, ticket: &dyn Encoded| {
		*tickets.entry((account, reason.encode())).or_default() += ticket.amount();
	};
	for (account, entry) in Organisations::<Test>::iter() {
		add(account, OrganisationHold::get(), &entry.ticket);
	}
	for entry in Patients::<Test>::iter_values() {
		add(entry.organisation, PatientHold::get(), &entry.ticket);
	}
	for (account, key) in EncryptionKeys::<Test>::iter() {
		add(account, KeyHold::get(), &key.ticket);
	}
	for object in Objects::<Test>::iter_values() {
		add(object.custodian, ObjectHold::get(), &object.ticket);
	}
	for grant in Grants::<Test>::iter_values() {
		add(grant.payer, GrantHold::get(), &grant.ticket);
	}
	for (_, requester, request) in AccessRequests::<Test>::iter() {
		add(requester, RequestHold::get(), &request.ticket);
	}
	let holds = pallet_balances::Holds::<Test>::iter().flat_map(|(account, holds)| {
		holds.into_iter().map(move |hold| ((account, hold.id.encode()), hold.amount))
	});
	assert_eq!(tickets, holds.collect::<BTreeMap<_, _>>(), "holds and tickets differ");
}

/// A ticket's amount, which its type keeps to itself and its encoding shows.
trait Encoded {
	fn amount(&self) -> u64;
}

impl<Ticket: Encode> Encoded for Ticket {
	fn amount(&self) -> u64 {
		codec::Decode::decode(&mut &self.encode()[..]).expect("a ticket is a balance; qed")
	}
}

pub fn signed(account: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(account)
}

/// An object of 1,000 bytes.
pub fn object(id: ObjectId, record_count: u32) -> ObjectInfo {
	ObjectInfo { id, size: 1_000, record_count, manifest_root: [3; 32] }
}

/// A record of [`PATIENT`] in the object's first 100 bytes.
pub fn record(id: RecordId) -> RecordInfo {
	RecordInfo {
		id,
		patient: PATIENT,
		offset: 0,
		length: 100,
		digest: [4; 32],
		format: RecordFormat::FhirR4Json,
	}
}

pub fn inline(key_version: u32) -> KeyState {
	let wrapped = vec![6; 1168].try_into().expect("1,168 bytes; qed");
	KeyState::Inline { wrapped, key_version }
}

pub fn escrowed(key_version: u32) -> KeyState {
	KeyState::Escrowed { digest: [1; 32], key_version }
}

pub fn run_to_block(number: u64) {
	System::set_block_number(number);
}

/// This pallet's events since the last call.
pub fn emr_events() -> Vec<Event<Test>> {
	let events = System::read_events_for_pallet::<Event<Test>>();
	System::reset_events();
	events
}

/// What an account has on hold.
pub fn held(account: AccountId) -> u64 {
	use frame_support::traits::fungible::InspectHold;
	Balances::total_balance_on_hold(&account)
}
