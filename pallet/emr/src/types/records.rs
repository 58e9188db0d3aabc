//! Records and the objects that they lie in.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;

use crate::{
	Config, Digest, Integrity, ObjectId, PatientId, ProofCommitment, RecordId, StorageHealth,
};

/// What the plaintext of a record is.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum RecordFormat {
	/// One FHIR R4 (4.0.1) resource in JSON.
	FhirR4Json,
	/// One FHIR R4B (4.3.0) resource in JSON.
	FhirR4bJson,
	/// One FHIR R5 (5.0.0) resource in JSON.
	FhirR5Json,
	/// A DICOM part 10 file.
	Dicom,
	/// Bytes that only the application understands.
	Binary,
}

/// An object as its custodian describes it when he anchors records.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct ObjectInfo {
	/// CESS file id.
	pub id: ObjectId,
	/// Unpadded bytes.
	pub size: u64,
	/// Leaves of the manifest.
	pub record_count: u32,
	/// Root of the manifest's Merkle tree.
	pub manifest_root: Digest,
}

/// A record as its custodian describes it when he anchors it.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct RecordInfo {
	/// The idempotency key.
	pub id: RecordId,
	/// Whose record it is.
	pub patient: PatientId,
	/// First byte within the object.
	pub offset: u64,
	/// Sealed bytes.
	pub length: u64,
	/// SHA-256 of the sealed bytes.
	pub digest: Digest,
	/// What the plaintext is.
	pub format: RecordFormat,
}

/// A stored object.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct Object<T: Config> {
	/// The organisation that stored it and answers for it.
	pub custodian: T::AccountId,
	/// Unpadded bytes.
	pub size: u64,
	/// Leaves of the manifest.
	pub record_count: u32,
	/// Records of the manifest that are anchored and neither erased nor moved elsewhere.
	pub anchored: u32,
	/// Records of the manifest that were anchored, and then erased or moved elsewhere.
	pub erased: u32,
	/// Root of the manifest's Merkle tree.
	pub manifest_root: Digest,
	/// When its first record was anchored.
	pub stored_at: BlockNumberFor<T>,
	/// What proofs of it are checked against.
	pub proof: Option<ProofCommitment<T>>,
	/// The last report on its storage.
	pub health: Option<StorageHealth<T>>,
	/// The last report on its integrity.
	pub integrity: Option<Integrity<T>>,
	/// Deposit for this entry and for every record anchored in it.
	pub ticket: T::ObjectConsideration,
}

/// What stands under a record's id, for ever: an id is used once.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub enum RecordEntry<T: Config> {
	/// The record can be read by whom a grant allows.
	Live(Record<T>),
	/// The record was erased; nothing is left that says whose it was.
	Erased(Tombstone<T>),
}

impl<T: Config> RecordEntry<T> {
	/// The record, unless it was erased.
	pub fn live(self) -> Option<Record<T>> {
		match self {
			Self::Live(record) => Some(record),
			Self::Erased(_) => None,
		}
	}
}

/// What is left of an erased record.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct Tombstone<T: Config> {
	/// Who erased it.
	pub custodian: T::AccountId,
	/// When.
	pub erased_at: BlockNumberFor<T>,
}

/// An anchored record.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct Record<T: Config> {
	/// Whose record it is.
	pub patient: PatientId,
	/// Where its sealed bytes lie.
	pub object: ObjectId,
	/// First byte within the object.
	pub offset: u64,
	/// Sealed bytes.
	pub length: u64,
	/// SHA-256 of the sealed bytes.
	pub digest: Digest,
	/// What the plaintext is.
	pub format: RecordFormat,
	/// When it was anchored.
	pub anchored_at: BlockNumberFor<T>,
}
