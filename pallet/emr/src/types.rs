//! The values that this pallet stores and takes as arguments.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
	BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound, traits::ConstU32,
};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;

use crate::{Config, Error};

/// Chosen by the submitter (UUIDv7); storing the same id twice fails, so it is the idempotency key.
pub type RecordId = [u8; 16];
/// Random, never derived from identity.
pub type PatientId = [u8; 32];
/// CESS file id.
pub type ObjectId = [u8; 32];
/// SHA-256.
pub type Digest = [u8; 32];
/// MLKEM768-X25519 public key, as HPKE serialises it.
pub type EncryptionPublicKey = [u8; 1216];
/// A data key wrapped by HPKE single shot: encapsulated secret (1,120 bytes), ciphertext (32), tag (16).
pub type WrappedKey = BoundedVec<u8, ConstU32<1168>>;
/// The accounts that may act for an organisation, in ascending order.
pub type Operators<T> =
	BoundedVec<<T as frame_system::Config>::AccountId, <T as Config>::MaxOperators>;

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

/// Why access is given; the names follow HL7's PurposeOfUse.
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
pub enum Purpose {
	/// TREAT
	Treatment,
	/// HPAYMT
	Payment,
	/// HOPERAT
	Operations,
	/// HRESCH
	Research,
	/// PUBHLTH
	PublicHealth,
	/// ETREAT
	EmergencyTreatment,
	/// PATRQT
	PatientRequest,
}

/// What a grant covers.
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
pub enum Scope {
	/// One record.
	Record(RecordId),
	/// All records of a patient, present and future, at the organisation that registered him.
	Patient(PatientId),
}

/// How the grantee comes by the data key.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum KeyState {
	/// No key has been delivered yet.
	Pending,
	/// The custodian keeps the wrapped key and releases it while the grant is live.
	Escrowed {
		/// SHA-256 of the wrapped key.
		digest: Digest,
		/// Version of the grantee's encryption key that it is wrapped to.
		key_version: u32,
	},
	/// The wrapped key itself.
	Inline {
		/// HPKE output.
		wrapped: WrappedKey,
		/// Version of the grantee's encryption key that it is wrapped to.
		key_version: u32,
	},
}

impl KeyState {
	/// The version of the grantee's encryption key, unless no key has been delivered.
	pub fn key_version(&self) -> Option<u32> {
		match self {
			Self::Pending => None,
			Self::Escrowed { key_version, .. } | Self::Inline { key_version, .. } => {
				Some(*key_version)
			},
		}
	}
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

/// An organisation: who may act for its account.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct Organisation<T: Config> {
	/// Sidecars and applications that may act for it, ascending and without repetition.
	pub operators: Operators<T>,
	/// Deposit for this entry.
	pub ticket: T::OrganisationConsideration,
}

/// A patient as one organisation knows him.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct Patient<T: Config> {
	/// Who registered him, and pays for this entry.
	pub organisation: T::AccountId,
	/// Who decides on access: the patient's own account, or the organisation.
	pub controller: T::AccountId,
	/// Deposit for this entry.
	pub ticket: T::PatientConsideration,
}

/// An account's public key for wrapping data keys.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct EncryptionKey<T: Config> {
	/// The key.
	pub public: EncryptionPublicKey,
	/// 1 for the first key, one more with each new one.
	pub version: u32,
	/// Deposit for this entry.
	pub ticket: T::KeyConsideration,
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
	/// Records of the manifest that are anchored so far.
	pub anchored: u32,
	/// Root of the manifest's Merkle tree.
	pub manifest_root: Digest,
	/// Deposit for this entry and for every record anchored in it.
	pub ticket: T::ObjectConsideration,
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

/// A right to read.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct Grant<T: Config> {
	/// The first block in which the grant gives nothing any more.
	pub expires_at: BlockNumberFor<T>,
	/// Why it was given.
	pub purpose: Purpose,
	/// How the grantee comes by the key.
	pub key: KeyState,
	/// Who pays the deposit.
	pub payer: T::AccountId,
	/// Deposit for this entry.
	pub ticket: T::GrantConsideration,
}

impl<T: Config> Grant<T> {
	/// Whether the grant gives access in block `now`.
	pub fn is_live(&self, now: BlockNumberFor<T>) -> bool {
		now < self.expires_at
	}
}

/// Why one record of a batch was left out.
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
pub enum RejectReason {
	/// As [`Error::RecordExists`].
	RecordExists,
	/// As [`Error::PatientUnknown`].
	PatientUnknown,
	/// As [`Error::OutsideObject`].
	OutsideObject,
	/// As [`Error::ObjectFull`].
	ObjectFull,
}

impl<T: Config> From<RejectReason> for Error<T> {
	fn from(reason: RejectReason) -> Self {
		match reason {
			RejectReason::RecordExists => Self::RecordExists,
			RejectReason::PatientUnknown => Self::PatientUnknown,
			RejectReason::OutsideObject => Self::OutsideObject,
			RejectReason::ObjectFull => Self::ObjectFull,
		}
	}
}
