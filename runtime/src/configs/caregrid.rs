//! CareGrid's own pallets.

use frame_support::{
	parameter_types,
	traits::{ConstU32, EnsureOriginWithArg, LinearStoragePrice, fungible::HoldConsideration},
};

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
	pub const IpBlockHold: RuntimeHoldReason =
		RuntimeHoldReason::Threats(pallet_threats::HoldReason::IpBlock);
	pub const SignatureHold: RuntimeHoldReason =
		RuntimeHoldReason::Threats(pallet_threats::HoldReason::Signature);

	pub const ItemPrice: Balance = deposit(1, 0);
	pub const BytePrice: Balance = deposit(0, 1);

	pub const MaxGrantDuration: BlockNumber = 10 * 365 * DAYS;
	pub const MaxBlockDuration: BlockNumber = 90 * DAYS;
}

type StoragePrice = LinearStoragePrice<ItemPrice, BytePrice, Balance>;
type Hold<Reason> = HoldConsideration<AccountId, Balances, Reason, StoragePrice>;

impl pallet_emr::Config for Runtime {
	type OrganisationConsideration = Hold<OrganisationHold>;
	type PatientConsideration = Hold<PatientHold>;
	type KeyConsideration = Hold<KeyHold>;
	type ObjectConsideration = Hold<ObjectHold>;
	type GrantConsideration = Hold<GrantHold>;
	type MaxOperators = ConstU32<32>;
	type MaxBatch = ConstU32<128>;
	type MaxRecordsPerObject = ConstU32<65_536>;
	type MaxGrantsPerScope = ConstU32<64>;
	type MaxGrantDuration = MaxGrantDuration;
	type WeightInfo = pallet_emr::weights::Estimate<Runtime>;
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
}

impl pallet_threats::Config for Runtime {
	type OperatorOrigin = EnsureOperator;
	type BlockConsideration = Hold<IpBlockHold>;
	type SignatureConsideration = Hold<SignatureHold>;
	type MaxBlockDuration = MaxBlockDuration;
	type MaxExpiriesPerBlock = ConstU32<128>;
	type MaxCleanup = ConstU32<128>;
	type MaxPatternLen = ConstU32<2_048>;
	type WeightInfo = pallet_threats::weights::Estimate<Runtime>;
}
