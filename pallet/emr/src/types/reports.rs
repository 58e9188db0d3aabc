//! What custodians report on their objects.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;
use sp_runtime::Permill;

use crate::{Config, Digest, ObjectId};

/// Owner's public key for publicly verifiable proofs: a compressed point of BLS12-381's G2.
pub type ProofKey = [u8; 96];

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
