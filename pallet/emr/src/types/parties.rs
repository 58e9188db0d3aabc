//! Who takes part: organisations, patients, and their keys.

use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound};
use scale_info::TypeInfo;

use crate::Config;

/// MLKEM768-X25519 public key, as HPKE serialises it.
pub type EncryptionPublicKey = [u8; 1216];

/// The accounts that may act for an organisation, in ascending order.
pub type Operators<T> =
	BoundedVec<<T as frame_system::Config>::AccountId, <T as Config>::MaxOperators>;

/// The accounts of an organisation's emergency role, in ascending order.
pub type EmergencyMembers<T> =
	BoundedVec<<T as frame_system::Config>::AccountId, <T as Config>::MaxEmergencyMembers>;

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
