//! A runtime small enough for unit tests, with real balances and holds.

use frame_support::{
	derive_impl, parameter_types,
	traits::{ConstU32, ConstU64, LinearStoragePrice, fungible::HoldConsideration},
};
use sp_runtime::BuildStorage;

use crate::{self as pallet_emr, *};

pub type AccountId = u64;

pub const HOSPITAL: AccountId = 1;
pub const CLINIC: AccountId = 2;
pub const SIDECAR: AccountId = 11;
pub const APP: AccountId = 12;
pub const ALICE: AccountId = 21;
pub const BOB: AccountId = 22;
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
}

type Price = LinearStoragePrice<ConstU64<10>, ConstU64<1>, u64>;
type Hold<Reason> = HoldConsideration<AccountId, Balances, Reason, Price>;

impl Config for Test {
	type OrganisationConsideration = Hold<OrganisationHold>;
	type PatientConsideration = Hold<PatientHold>;
	type KeyConsideration = Hold<KeyHold>;
	type ObjectConsideration = Hold<ObjectHold>;
	type GrantConsideration = Hold<GrantHold>;
	type MaxOperators = ConstU32<3>;
	type MaxBatch = ConstU32<4>;
	type MaxRecordsPerObject = ConstU32<8>;
	type MaxGrantsPerScope = ConstU32<2>;
	type MaxGrantDuration = ConstU64<100>;
	type WeightInfo = weights::Estimate<Test>;
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
			self.fill();
			System::reset_events();
			test();
			Emr::do_try_state().expect("an invariant is broken");
		});
	}

	fn fill(self) {
		for organisation in [HOSPITAL, CLINIC] {
			let operators = vec![SIDECAR, APP].try_into().expect("within MaxOperators; qed");
			Emr::register_organisation(signed(organisation), operators).expect("funded; qed");
		}
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
	let rich = [HOSPITAL, CLINIC, SIDECAR, APP, ALICE, BOB];
	pallet_balances::GenesisConfig::<Test> {
		balances: rich.map(|account| (account, 1_000_000)).into_iter().chain([(POOR, 5)]).collect(),
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.expect("valid; qed");
	storage
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
