//! A runtime small enough for unit tests, with real balances and holds.

use std::collections::BTreeMap;

use codec::{Decode, Encode};
use frame_support::{
	derive_impl, parameter_types,
	traits::{ConstU64, EnsureOriginWithArg, LinearStoragePrice, fungible::HoldConsideration},
};
use sp_runtime::BuildStorage;

use crate::{self as pallet_threats, *};

pub type AccountId = u64;

pub const HOSPITAL: AccountId = 1;
pub const CLINIC: AccountId = 2;
pub const POOR: AccountId = 3;
pub const STRANGER: AccountId = 9;
/// The hospital's operator.
pub const SIDECAR: AccountId = 11;
/// The clinic's operator.
pub const CLINIC_SIDECAR: AccountId = 12;

/// What a block costs: an item at 10, an entry of 43 bytes and a key of 34.
pub const BLOCK_DEPOSIT: u64 = 87;
/// What a signature costs beside its text: an item at 10, and 42 bytes.
pub const SIGNATURE_DEPOSIT: u64 = 52;

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

/// The organisation itself acts for it, and one operator does.
pub struct Operators;
impl EnsureOriginWithArg<RuntimeOrigin, AccountId> for Operators {
	type Success = AccountId;

	fn try_origin(
		origin: RuntimeOrigin,
		organisation: &AccountId,
	) -> Result<AccountId, RuntimeOrigin> {
		let operator = match *organisation {
			HOSPITAL => SIDECAR,
			CLINIC => CLINIC_SIDECAR,
			other => other,
		};
		match frame_system::ensure_signed(origin.clone()) {
			Ok(signer) if signer == *organisation || signer == operator => Ok(signer),
			_ => Err(origin),
		}
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn try_successful_origin(organisation: &AccountId) -> Result<RuntimeOrigin, ()> {
		Ok(signed(*organisation))
	}
}

parameter_types! {
	pub const BlockHold: RuntimeHoldReason = RuntimeHoldReason::Threats(HoldReason::IpBlock);
	pub const SignatureHold: RuntimeHoldReason = RuntimeHoldReason::Threats(HoldReason::Signature);
	// Static, so that a test can set what makes no sense.
	pub static MaxBlockDuration: u64 = 1_000;
	pub static MaxCleanup: u32 = 10;
	pub static MaxPatternLen: u32 = 64;
}

type Price = LinearStoragePrice<ConstU64<10>, ConstU64<1>, u64>;
type Hold<Reason> = HoldConsideration<AccountId, Balances, Reason, Price>;

impl Config for Test {
	type OperatorOrigin = Operators;
	type BlockConsideration = Hold<BlockHold>;
	type SignatureConsideration = Hold<SignatureHold>;
	type MaxBlockDuration = MaxBlockDuration;
	type MaxCleanup = MaxCleanup;
	type MaxPatternLen = MaxPatternLen;
	type WeightInfo = ();
}

/// Block 1, with two rich organisations and a poor one.
pub fn new_test_ext() -> sp_io::TestExternalities {
	let genesis = RuntimeGenesisConfig {
		balances: pallet_balances::GenesisConfig {
			balances: vec![(HOSPITAL, 1_000_000), (CLINIC, 1_000_000), (POOR, 5), (STRANGER, 5)],
			..Default::default()
		},
		..Default::default()
	};
	let mut ext: sp_io::TestExternalities = genesis.build_storage().expect("valid; qed").into();
	ext.execute_with(|| System::set_block_number(1));
	ext
}

/// Run a test and check the invariants after it.
pub fn test(run: impl FnOnce()) {
	new_test_ext().execute_with(|| {
		run();
		check_invariants();
	});
}

pub fn check_invariants() {
	Threats::do_try_state().expect("an invariant is broken");
	check_holds();
}

/// What each organisation has on hold for each reason equals the sum of what its tickets cost.
fn check_holds() {
	let cost = |ticket: Vec<u8>| u64::decode(&mut &ticket[..]).expect("a balance; qed");
	let mut owed = BTreeMap::<_, u64>::new();
	for (_, organisation, block) in Blocks::<Test>::iter() {
		*owed.entry((organisation, BlockHold::get().encode())).or_default() +=
			cost(block.ticket.encode());
	}
	for signature in Signatures::<Test>::iter_values() {
		*owed.entry((signature.organisation, SignatureHold::get().encode())).or_default() +=
			cost(signature.ticket.encode());
	}
	let held = pallet_balances::Holds::<Test>::iter()
		.flat_map(|(who, holds)| {
			holds.into_iter().map(move |hold| ((who, hold.id.encode()), hold.amount))
		})
		.collect::<BTreeMap<_, _>>();
	assert_eq!(owed, held, "tickets and holds differ");
}

pub fn signed(account: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(account)
}

/// 10.0.`n`.0/24
pub fn net(n: u8) -> IpNet {
	IpNet::V4 { address: [10, 0, n, 0], prefix: 24 }
}

pub fn pattern(text: &[u8]) -> Pattern<Test> {
	text.to_vec().try_into().expect("within MaxPatternLen; qed")
}

/// The organisation's own account blocks a network.
pub fn block(organisation: AccountId, net: IpNet, expires_at: u64) -> sp_runtime::DispatchResult {
	bare(Threats::block_ip(
		signed(organisation),
		organisation,
		net,
		BlockReason::Scanning,
		expires_at,
	))
}

/// The organisation's own account blocks a network no more.
pub fn unblock(organisation: AccountId, net: IpNet) -> sp_runtime::DispatchResult {
	bare(Threats::unblock_ip(signed(organisation), organisation, net))
}

/// The organisation's own account registers a signature.
pub fn register(organisation: AccountId, id: u8, text: &[u8]) -> sp_runtime::DispatchResult {
	bare(Threats::register_signature(
		signed(organisation),
		organisation,
		[id; 16],
		SignatureFormat::Regex,
		Severity::High,
		pattern(text),
	))
}

/// The organisation's own account retires a signature.
pub fn retire(organisation: AccountId, id: u8) -> sp_runtime::DispatchResult {
	bare(Threats::retire_signature(signed(organisation), organisation, [id; 16]))
}

/// A result without what it costs.
pub fn bare(
	result: frame_support::dispatch::DispatchResultWithPostInfo,
) -> sp_runtime::DispatchResult {
	result.map(|_| ()).map_err(|failed| failed.error)
}

/// This pallet's events since the last call.
pub fn threat_events() -> Vec<Event<Test>> {
	let events = System::read_events_for_pallet::<Event<Test>>();
	System::reset_events();
	events
}

pub fn expired(net: IpNet, organisation: AccountId, expires_at: u64) -> Event<Test> {
	Event::IpBlockExpired { net, organisation, expires_at }
}

/// What an account has on hold.
pub fn held(account: AccountId) -> u64 {
	use frame_support::traits::fungible::InspectHold;
	Balances::total_balance_on_hold(&account)
}
