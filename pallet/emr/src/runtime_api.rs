//! What programs may ask about records and grants without reading storage themselves.
//!
//! Pages are bounded: each call looks at no more than its limit of entries, at most [`MAX_PAGE`],
//! whatever the state holds. A page may have fewer items than its limit and go on all the same;
//! the end is where `next` is none.

use alloc::vec::Vec;
use codec::{Codec, Decode, Encode};
use scale_info::TypeInfo;

use crate::types::{
	Digest, Expirable, KeyState, ObjectId, PatientId, Purpose, RecordFormat, RecordId, Scope,
};

/// Entries that one page looks at, at the most.
pub const MAX_PAGE: u32 = 256;

/// A record, or what is left of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum RecordView<AccountId, BlockNumber> {
	/// It can be read by whom a grant allows.
	Live {
		/// Whose record it is.
		patient: PatientId,
		/// Where its sealed bytes lie.
		object: ObjectId,
		/// First byte within the object.
		offset: u64,
		/// Sealed bytes.
		length: u64,
		/// SHA-256 of the sealed bytes.
		digest: Digest,
		/// What the plaintext is.
		format: RecordFormat,
		/// When it was anchored.
		anchored_at: BlockNumber,
		/// Who answers for it.
		custodian: AccountId,
	},
	/// It was erased.
	Erased {
		/// By whom.
		custodian: AccountId,
		/// When.
		erased_at: BlockNumber,
	},
}

/// A right to read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct GrantView<AccountId, BlockNumber> {
	/// What it covers.
	pub scope: Scope,
	/// Who may read.
	pub grantee: AccountId,
	/// When it was given or last renewed.
	pub granted_at: BlockNumber,
	/// The first block in which it gives nothing any more.
	pub expires_at: BlockNumber,
	/// Why it was given.
	pub purpose: Purpose,
	/// How the grantee comes by the key.
	pub key: KeyState,
	/// Who pays the deposit.
	pub payer: AccountId,
}

/// Some of the grants that cover a record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct GrantPage<AccountId, BlockNumber> {
	/// Live ones only.
	pub items: Vec<GrantView<AccountId, BlockNumber>>,
	/// What to give as `after` for the next page.
	pub next: Option<(Scope, AccountId)>,
}

/// Some of a patient's records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct RecordPage {
	/// In no meaningful order.
	pub items: Vec<RecordId>,
	/// What to give as `after` for the next page.
	pub next: Option<RecordId>,
}

/// Some of the grants that expire in a range of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct ExpiringPage<AccountId, BlockNumber> {
	/// The earliest first; expired ones too, until they are removed.
	pub items: Vec<GrantView<AccountId, BlockNumber>>,
	/// What to give as `after` for the next page.
	pub next: Option<(BlockNumber, Expirable<AccountId>)>,
}

sp_api::decl_runtime_apis! {
	/// Records and grants, as of the block that the call is made at.
	pub trait EmrApi<AccountId, BlockNumber>
	where
		AccountId: Codec,
		BlockNumber: Codec,
	{
		/// A record by id.
		fn record(record: RecordId) -> Option<RecordView<AccountId, BlockNumber>>;

		/// The grant that lets `reader` read `record` in this block.
		fn live_grant(
			record: RecordId,
			reader: AccountId,
		) -> Option<GrantView<AccountId, BlockNumber>>;

		/// The live grants that cover a record: its own, then those for all of its patient's.
		fn grants_of_record(
			record: RecordId,
			after: Option<(Scope, AccountId)>,
			limit: u32,
		) -> GrantPage<AccountId, BlockNumber>;

		/// The live records of a patient.
		fn records_of_patient(patient: PatientId, after: Option<RecordId>, limit: u32) -> RecordPage;

		/// The grants that expire at a block from `from` up to but not including `until`.
		fn expiring_grants(
			from: BlockNumber,
			until: BlockNumber,
			after: Option<(BlockNumber, Expirable<AccountId>)>,
			limit: u32,
		) -> ExpiringPage<AccountId, BlockNumber>;
	}
}
