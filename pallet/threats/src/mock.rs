//! A runtime small enough for unit tests, with real balances and holds.

use frame_support::{
	derive_impl, parameter_types,
	traits::{
		ConstU32, ConstU64, EnsureOriginWithArg, LinearStoragePrice, fungible::HoldConsideration,
	},
};
use sp_runtime::BuildStorage;

use crate::{self as pallet_threats, *};

pub type AccountId = u64;

pub const HOSPITAL: AccountId = 1;
pub const CLINIC: AccountId = 2;
pub const STRANGER: AccountId = 9;

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
	pub type Threats = pallet_threats;
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

/// Only the organisation itself acts for it.
pub struct Itself;
impl EnsureOriginWithArg<RuntimeOrigin, AccountId> for Itself {
	type Success = AccountId;

	fn try_origin(origin: RuntimeOrigin, who: &AccountId) -> Result<AccountId, RuntimeOrigin> {
		match frame_system::ensure_signed(origin.clone()) {
			Ok(signer) if signer == *who => Ok(signer),
			_ => Err(origin),
		}
	}
}

parameter_types! {
	pub const BlockHold: RuntimeHoldReason = RuntimeHoldReason::Threats(HoldReason::IpBlock);
	pub const SignatureHold: RuntimeHoldReason = RuntimeHoldReason::Threats(HoldReason::Signature);
}

type Price = LinearStoragePrice<ConstU64<10>, ConstU64<1>, u64>;
type Hold<Reason> = HoldConsideration<AccountId, Balances, Reason, Price>;

impl Config for Test {
	type OperatorOrigin = Itself;
	type BlockConsideration = Hold<BlockHold>;
	type SignatureConsideration = Hold<SignatureHold>;
	type MaxBlockDuration = ConstU64<1_000>;
	type MaxExpiriesPerBlock = ConstU32<2>;
	type MaxCleanup = ConstU32<10>;
	type MaxPatternLen = ConstU32<64>;
	type WeightInfo = weights::Estimate<Test>;
}

/// Run a test in block 1 with two rich organisations, and check the invariants after it.
pub fn test(run: impl FnOnce()) {
	let mut storage =
		frame_system::GenesisConfig::<Test>::default().build_storage().expect("valid; qed");
	pallet_balances::GenesisConfig::<Test> {
		balances: vec![(HOSPITAL, 1_000_000), (CLINIC, 1_000_000), (STRANGER, 5)],
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.expect("valid; qed");
	let mut ext: sp_io::TestExternalities = storage.into();
	ext.execute_with(|| {
		System::set_block_number(1);
		run();
		Threats::do_try_state().expect("an invariant is broken");
	});
}

pub fn signed(account: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(account)
}

/// 10.0.`n`.0/24
pub fn net(n: u8) -> IpNet {
	IpNet::V4 { address: [10, 0, n, 0], prefix: 24 }
}

pub fn block(who: AccountId, net: IpNet, expires_at: u64) -> sp_runtime::DispatchResult {
	Threats::block_ip(signed(who), who, net, BlockReason::Scanning, expires_at)
		.map(|_| ())
		.map_err(|failed| failed.error)
}

/// This pallet's events since the last call.
pub fn threat_events() -> Vec<Event<Test>> {
	let events = System::read_events_for_pallet::<Event<Test>>();
	System::reset_events();
	events
}

/// What an account has on hold.
pub fn held(account: AccountId) -> u64 {
	use frame_support::traits::fungible::InspectHold;
	Balances::total_balance_on_hold(&account)
}
