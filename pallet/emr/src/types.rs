//! The values that this pallet stores and takes as arguments.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
	BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound, traits::ConstU32,
};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;
use sp_runtime::Permill;

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

/// The accounts of an organisation's emergency role, in ascending order.
pub type EmergencyMembers<T> =
	BoundedVec<<T as frame_system::Config>::AccountId, <T as Config>::MaxEmergencyMembers>;
/// Owner's public key for publicly verifiable proofs: a compressed point of BLS12-381's G2.
pub type ProofKey = [u8; 96];

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
	PartialOrd,
	Ord,
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

impl KeyState {
	/// Bytes to pay for. A key in escrow costs what a pending one does, so that its delivery by the
	/// custodian does not touch the balance of who granted access.
	pub(crate) fn paid_len(&self) -> usize {
		match self {
			Self::Inline { .. } => self.encoded_size(),
			Self::Pending | Self::Escrowed { .. } => {
				Self::Escrowed { digest: [0; 32], key_version: 0 }.encoded_size()
			},
		}
	}
}

/// Why a member of the emergency role breaks the glass. No free text: it could name somebody.
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
pub enum EmergencyReason {
	/// The patient's life is in danger.
	ThreatToLife,
	/// The patient cannot be asked: unconscious, confused, sedated.
	PatientUnresponsive,
	/// The patient's wallet or its owner cannot be reached in time.
	ControllerUnreachable,
	/// An accident or disaster with many casualties.
	MassCasualty,
	/// A danger to others, such as an outbreak.
	PublicHealth,
}

/// A key that the custodian delivers for a grant.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct KeyDelivery<AccountId> {
	/// What the grant covers.
	pub scope: Scope,
	/// Who holds it.
	pub grantee: AccountId,
	/// The key, escrowed or inline.
	pub key: KeyState,
}

/// Something that ends at a block.
#[derive(
	Clone,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum Expirable<AccountId> {
	/// The grant on a scope, held by an account.
	Grant(Scope, AccountId),
	/// The request for a record, made by an account.
	Request(RecordId, AccountId),
}

/// A custodian's measurement of how well an object is stored.
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
pub struct HealthReport {
	/// The object.
	pub object: ObjectId,
	/// Fragments alive beyond what is needed to restore it, as a share of all that can be lost.
	pub health: Permill,
	/// Whole copies' worth of fragments alive.
	pub replicas: u16,
	/// Distinct storage nodes that hold living fragments.
	pub nodes: u16,
}

/// Which proof was asked for.
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
pub enum ProofScheme {
	/// A MAC over a prime field, which only the owner can verify.
	Private,
	/// BLS12-381, which anybody can verify with the object's proof key.
	Public,
	/// The storage network's own proof, as its chain reports it.
	Network,
}

/// What came of a challenge.
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
pub enum AuditOutcome {
	/// A valid proof.
	Passed,
	/// A proved wrong answer.
	Failed,
	/// The node could not be reached.
	Offline,
	/// The node did not answer in time; it will be asked the same again.
	Contained,
	/// No verdict, for a reason on the asking side.
	Unknown,
}

/// A custodian's verdict on a proof that an object is still there.
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
pub struct IntegrityReport<BlockNumber> {
	/// The object.
	pub object: ObjectId,
	/// Which proof.
	pub scheme: ProofScheme,
	/// What came of it.
	pub outcome: AuditOutcome,
	/// Height of the block that the challenge was derived from.
	pub challenged_at: BlockNumber,
	/// SHA-256 of the proof bundle, by which an outsider knows it again.
	pub proof_digest: Digest,
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
	/// Clinicians who may open emergency access, ascending and without repetition.
	pub emergency: EmergencyMembers<T>,
	/// Erased records whose tombstones it pays for.
	pub tombstones: u32,
	/// Deposit for this entry and the tombstones.
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
	/// Who may claim the entry and become its controller.
	pub offered_to: Option<T::AccountId>,
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
	/// Records of the manifest that are anchored and not erased.
	pub anchored: u32,
	/// Records of the manifest that were anchored and erased.
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

/// What an object's proofs are checked against.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct ProofCommitment<T: Config> {
	/// The owner's public key.
	pub key: ProofKey,
	/// SHA-256 over the tags of all fragments.
	pub tags: Digest,
	/// When it was committed; challenges come from later blocks.
	pub committed_at: BlockNumberFor<T>,
}

/// The last report on an object's storage.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct StorageHealth<T: Config> {
	/// As [`HealthReport::health`].
	pub health: Permill,
	/// As [`HealthReport::replicas`].
	pub replicas: u16,
	/// As [`HealthReport::nodes`].
	pub nodes: u16,
	/// When it was reported.
	pub reported_at: BlockNumberFor<T>,
}

/// The last report on an object's integrity.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct Integrity<T: Config> {
	/// As [`IntegrityReport::scheme`].
	pub scheme: ProofScheme,
	/// As [`IntegrityReport::outcome`].
	pub outcome: AuditOutcome,
	/// As [`IntegrityReport::challenged_at`].
	pub challenged_at: BlockNumberFor<T>,
	/// As [`IntegrityReport::proof_digest`].
	pub proof_digest: Digest,
	/// When it was reported.
	pub reported_at: BlockNumberFor<T>,
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

/// A right to read.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct Grant<T: Config> {
	/// When it was given or last renewed.
	pub granted_at: BlockNumberFor<T>,
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

/// A request for access to a record.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct AccessRequest<T: Config> {
	/// What for.
	pub purpose: Purpose,
	/// The first block in which the request stands no more.
	pub expires_at: BlockNumberFor<T>,
	/// Deposit of the requester for this entry.
	pub ticket: T::RequestConsideration,
}

impl<T: Config> AccessRequest<T> {
	/// Whether the request still stands in block `now`.
	pub fn is_live(&self, now: BlockNumberFor<T>) -> bool {
		now < self.expires_at
	}
}

/// Why one item of a batch was left out; the names are those of [`Error`].
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
	/// As [`Error::RecordErased`].
	RecordErased,
	/// As [`Error::PatientExists`].
	PatientExists,
	/// As [`Error::GrantUnknown`].
	GrantUnknown,
	/// As [`Error::GrantExpired`].
	GrantExpired,
	/// As [`Error::NoEncryptionKey`].
	NoEncryptionKey,
	/// As [`Error::EncryptionKeyStale`].
	EncryptionKeyStale,
	/// As [`Error::WrappedKeyInvalid`].
	WrappedKeyInvalid,
	/// As [`Error::KeyMissing`].
	KeyMissing,
	/// As [`Error::ObjectUnknown`].
	ObjectUnknown,
	/// As [`Error::ObjectForeign`].
	ObjectForeign,
	/// As [`Error::ReportInvalid`].
	ReportInvalid,
	/// As [`Error::RequestUnknown`].
	RequestUnknown,
	/// As [`Error::NotDue`].
	NotDue,
	/// As [`Error::DepositUnpayable`].
	DepositUnpayable,
}

impl<T: Config> From<RejectReason> for Error<T> {
	fn from(reason: RejectReason) -> Self {
		match reason {
			RejectReason::RecordExists => Self::RecordExists,
			RejectReason::PatientUnknown => Self::PatientUnknown,
			RejectReason::OutsideObject => Self::OutsideObject,
			RejectReason::ObjectFull => Self::ObjectFull,
			RejectReason::RecordErased => Self::RecordErased,
			RejectReason::PatientExists => Self::PatientExists,
			RejectReason::GrantUnknown => Self::GrantUnknown,
			RejectReason::GrantExpired => Self::GrantExpired,
			RejectReason::NoEncryptionKey => Self::NoEncryptionKey,
			RejectReason::EncryptionKeyStale => Self::EncryptionKeyStale,
			RejectReason::WrappedKeyInvalid => Self::WrappedKeyInvalid,
			RejectReason::KeyMissing => Self::KeyMissing,
			RejectReason::ObjectUnknown => Self::ObjectUnknown,
			RejectReason::ObjectForeign => Self::ObjectForeign,
			RejectReason::ReportInvalid => Self::ReportInvalid,
			RejectReason::RequestUnknown => Self::RequestUnknown,
			RejectReason::NotDue => Self::NotDue,
			RejectReason::DepositUnpayable => Self::DepositUnpayable,
		}
	}
}
