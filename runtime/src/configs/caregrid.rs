//! CareGrid's own pallets.

use frame_support::{
	parameter_types,
	traits::{ConstU32, EnsureOriginWithArg, LinearStoragePrice, fungible::HoldConsideration},
};

use frame_system::EnsureSigned;

use super::delegation::deposit;
use crate::*;

parameter_types! {
	pub const OrganisationHold: RuntimeHoldReason =
		RuntimeHoldReason::Emr(pallet_emr::HoldReason::Organisation);
	pub const PatientHold: RuntimeHoldReason =
		RuntimeHoldReason::Emr(pallet_emr::HoldReason::Patient);
	pub const KeyHold: RuntimeHoldReason =
		RuntimeHoldReason::Emr(pallet_emr::HoldReason::EncryptionKey);
	pub const ObjectHold: RuntimeHoldReason =
		RuntimeHoldReason::Emr(pallet_emr::HoldReason::Object);
	pub const GrantHold: RuntimeHoldReason =
		RuntimeHoldReason::Emr(pallet_emr::HoldReason::Grant);
	pub const RequestHold: RuntimeHoldReason =
		RuntimeHoldReason::Emr(pallet_emr::HoldReason::Request);
	pub const IpBlockHold: RuntimeHoldReason =
		RuntimeHoldReason::Threats(pallet_threats::HoldReason::IpBlock);
	pub const SignatureHold: RuntimeHoldReason =
		RuntimeHoldReason::Threats(pallet_threats::HoldReason::Signature);

	pub const ItemPrice: Balance = deposit(1, 0);
	pub const BytePrice: Balance = deposit(0, 1);

	pub const MaxGrantDuration: BlockNumber = 10 * 365 * DAYS;
	pub const MaxRequestDuration: BlockNumber = 30 * DAYS;
	pub const EmergencyDuration: BlockNumber = 4 * HOURS;
	pub const MaxBlockDuration: BlockNumber = 90 * DAYS;
}

type StoragePrice = LinearStoragePrice<ItemPrice, BytePrice, Balance>;
type Hold<Reason> = HoldConsideration<AccountId, Balances, Reason, StoragePrice>;

impl pallet_emr::Config for Runtime {
	// Anybody who pays the deposit, so that a person can be his own custodian. A network of
	// hospitals that admits members names its council's origin here.
	type OrganisationOrigin = EnsureSigned<AccountId>;
	type OrganisationConsideration = Hold<OrganisationHold>;
	type PatientConsideration = Hold<PatientHold>;
	type KeyConsideration = Hold<KeyHold>;
	type ObjectConsideration = Hold<ObjectHold>;
	type GrantConsideration = Hold<GrantHold>;
	type RequestConsideration = Hold<RequestHold>;
	type MaxOperators = ConstU32<32>;
	type MaxEmergencyMembers = ConstU32<32>;
	type MaxBatch = ConstU32<128>;
	type MaxRecordsPerObject = ConstU32<65_536>;
	type MaxGrantsPerScope = ConstU32<64>;
	type MaxGrantDuration = MaxGrantDuration;
	type MaxRequestDuration = MaxRequestDuration;
	type EmergencyDuration = EmergencyDuration;
	type WeightInfo = pallet_emr::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Endow;
}

/// An operator of the organisation given as argument, or the organisation itself.
pub struct EnsureOperator;

impl EnsureOriginWithArg<RuntimeOrigin, AccountId> for EnsureOperator {
	type Success = AccountId;

	fn try_origin(
		origin: RuntimeOrigin,
		organisation: &AccountId,
	) -> Result<AccountId, RuntimeOrigin> {
		match frame_system::ensure_signed(origin.clone()) {
			Ok(who) if Emr::is_operator(organisation, &who) => Ok(who),
			_ => Err(origin),
		}
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn try_successful_origin(organisation: &AccountId) -> Result<RuntimeOrigin, ()> {
		use pallet_emr::benchmarking::BenchmarkHelper;
		Endow::endow(organisation);
		let origin = RuntimeOrigin::signed(organisation.clone());
		// The worst case of the check: an operator behind a full list is looked up in it.
		let operators = (0..32u8).map(|n| AccountId::new([n; 32])).collect::<alloc::vec::Vec<_>>();
		let operators = operators.try_into().map_err(|_| ())?;
		if !pallet_emr::Organisations::<Runtime>::contains_key(organisation) {
			Emr::register_organisation(origin, operators).map_err(|_| ())?;
		}
		Ok(RuntimeOrigin::signed(AccountId::new([0; 32])))
	}
}

/// Gives benchmarks the tokens for any deposit.
#[cfg(feature = "runtime-benchmarks")]
pub struct Endow;

#[cfg(feature = "runtime-benchmarks")]
impl pallet_emr::benchmarking::BenchmarkHelper<AccountId> for Endow {
	fn endow(account: &AccountId) {
		use frame_support::traits::fungible::Mutate;
		Balances::set_balance(account, 1_000_000 * UNIT);
	}
}

impl pallet_threats::Config for Runtime {
	type OperatorOrigin = EnsureOperator;
	type BlockConsideration = Hold<IpBlockHold>;
	type SignatureConsideration = Hold<SignatureHold>;
	type MaxBlockDuration = MaxBlockDuration;
	type MaxCleanup = ConstU32<128>;
	type MaxPatternLen = ConstU32<2_048>;
	type WeightInfo = pallet_threats::weights::SubstrateWeight<Runtime>;
}
