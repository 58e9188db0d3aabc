//! Grants, requests, and the keys that come with them.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
	BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound, traits::ConstU32,
};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;

use crate::{Config, Digest, PatientId, RecordId};

/// A data key wrapped by HPKE single shot: encapsulated secret (1,120 bytes), ciphertext (32), tag (16).
pub type WrappedKey = BoundedVec<u8, ConstU32<1168>>;

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
	/// The organisation that answers for what it covers.
	pub custodian: T::AccountId,
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
	/// The organisation that answers for the record.
	pub custodian: T::AccountId,
	/// Deposit of the requester for this entry.
	pub ticket: T::RequestConsideration,
}

impl<T: Config> AccessRequest<T> {
	/// Whether the request still stands in block `now`.
	pub fn is_live(&self, now: BlockNumberFor<T>) -> bool {
		now < self.expires_at
	}
}
