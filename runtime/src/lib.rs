//! The CareGrid runtime: Aura blocks, GRANDPA finality, accounts, and CareGrid's two pallets.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod apis;
#[cfg(feature = "runtime-benchmarks")]
#[macro_use]
mod benchmarks {
	frame_benchmarking::define_benchmarks!(
		[pallet_emr, Emr]
		[pallet_threats, Threats]
	);
}
pub mod configs;
pub mod genesis;
pub mod opaque;
#[cfg(test)]
mod tests;

// The macros below name it bare.
use alloc::vec::Vec;

use sp_runtime::{
	MultiAddress, MultiSignature, generic,
	traits::{BlakeTwo256, IdentifyAccount, Verify},
};
use sp_version::RuntimeVersion;

/// Signatures on extrinsics.
pub type Signature = MultiSignature;
/// An account's 32 bytes.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// Plancks; [`UNIT`] of them are one token.
pub type Balance = u128;
/// How many extrinsics an account has sent.
pub type Nonce = u32;
/// A hash.
pub type Hash = sp_core::H256;
/// A block's height.
pub type BlockNumber = u32;
/// How calls name accounts.
pub type Address = MultiAddress<AccountId, ()>;
/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;

/// What is signed with every call. Python's encoders know these extensions and no others, so a
/// test pins names and order.
pub type TxExtension = (
	frame_system::CheckNonZeroSender<Runtime>,
	frame_system::CheckSpecVersion<Runtime>,
	frame_system::CheckTxVersion<Runtime>,
	frame_system::CheckGenesis<Runtime>,
	frame_system::CheckEra<Runtime>,
	frame_system::CheckNonce<Runtime>,
	frame_system::CheckWeight<Runtime>,
	pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
	frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
	frame_system::WeightReclaim<Runtime>,
);

/// An extrinsic as it travels.
pub type UncheckedExtrinsic =
	generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;

/// Migrations of the release in preparation; emptied when it is out. None before the first one.
pub type Unreleased = ();
/// Migrations that run at every upgrade.
pub type Permanent = ();
/// What runs when the code has changed.
pub type Migrations = (Unreleased, Permanent);

/// Executes blocks.
pub type Executive = frame_executive::Executive<
	Runtime,
	Block,
	frame_system::ChainContext<Runtime>,
	Runtime,
	AllPalletsWithSystem,
	Migrations,
>;

#[sp_version::runtime_version]
/// Bump `spec_version` with every release, `transaction_version` when a call's encoding changes.
pub const VERSION: RuntimeVersion = RuntimeVersion {
	spec_name: alloc::borrow::Cow::Borrowed("caregrid"),
	impl_name: alloc::borrow::Cow::Borrowed("caregrid"),
	authoring_version: 1,
	spec_version: 102,
	impl_version: 1,
	apis: apis::RUNTIME_API_VERSIONS,
	transaction_version: 2,
	system_version: 1,
};

/// Time between blocks, in milliseconds. It cannot be changed on a living chain.
pub const SLOT_DURATION: u64 = 2_000;

/// Blocks a minute.
pub const MINUTES: BlockNumber = 60_000 / SLOT_DURATION as BlockNumber;
/// Blocks an hour.
pub const HOURS: BlockNumber = MINUTES * 60;
/// Blocks a day.
pub const DAYS: BlockNumber = HOURS * 24;

/// One token.
pub const UNIT: Balance = 1_000_000_000_000;
/// A thousandth of a token.
pub const MILLI_UNIT: Balance = UNIT / 1_000;
/// A millionth of a token.
pub const MICRO_UNIT: Balance = UNIT / 1_000_000;

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Runtime;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Timestamp = pallet_timestamp;
	#[runtime::pallet_index(2)]
	pub type Aura = pallet_aura;
	#[runtime::pallet_index(3)]
	pub type Grandpa = pallet_grandpa;
	#[runtime::pallet_index(4)]
	pub type Balances = pallet_balances;
	#[runtime::pallet_index(5)]
	pub type TransactionPayment = pallet_transaction_payment;
	#[runtime::pallet_index(6)]
	pub type Sudo = pallet_sudo;
	#[runtime::pallet_index(7)]
	pub type Utility = pallet_utility;
	#[runtime::pallet_index(8)]
	pub type Proxy = pallet_proxy;
	#[runtime::pallet_index(9)]
	pub type Multisig = pallet_multisig;

	#[runtime::pallet_index(20)]
	pub type Emr = pallet_emr;
	#[runtime::pallet_index(21)]
	pub type Threats = pallet_threats;
}
