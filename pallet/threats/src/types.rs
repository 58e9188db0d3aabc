//! The values that this pallet stores and takes as arguments.

use caregrid_expiry::DueBlock;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;

use crate::Config;

/// Chosen by the submitter (UUIDv7).
pub type SignatureId = [u8; 16];
/// The text of an attack signature.
pub type Pattern<T> = BoundedVec<u8, <T as Config>::MaxPatternLen>;
/// Where the expiry index lists a block: when it expires, and whose block of which network it is.
pub type ExpiryKey<T> = (DueBlock, (IpNet, <T as frame_system::Config>::AccountId));

/// An address prefix in CIDR notation, with every bit behind the prefix zero.
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
pub enum IpNet {
	/// IPv4, prefix length 0 to 32.
	V4 {
		/// Network byte order.
		address: [u8; 4],
		/// Bits that count.
		prefix: u8,
	},
	/// IPv6, prefix length 0 to 128.
	V6 {
		/// Network byte order.
		address: [u8; 16],
		/// Bits that count.
		prefix: u8,
	},
}

impl IpNet {
	/// Whether the prefix length fits and no bit behind it is set, so that a network has one spelling.
	pub fn is_canonical(&self) -> bool {
		let (bits, prefix, width) = match self {
			Self::V4 { address, prefix } => (u32::from_be_bytes(*address).into(), *prefix, 32u32),
			Self::V6 { address, prefix } => (u128::from_be_bytes(*address), *prefix, 128),
		};
		let Some(host_bits) = width.checked_sub(prefix.into()) else { return false };
		let host_mask = 1u128.checked_shl(host_bits).map_or(u128::MAX, |bit| bit - 1);
		bits & host_mask == 0
	}
}

/// Why an address is blocked.
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
pub enum BlockReason {
	/// Guessing of passwords or tokens.
	BruteForce,
	/// Probing for weaknesses.
	Scanning,
	/// Flooding.
	DenialOfService,
	/// Known attack tools or payloads.
	Intrusion,
	/// Bulk reading of what should be read singly.
	Exfiltration,
	/// A decision of the organisation that needs no further word.
	Policy,
}

/// The language that a signature is written in.
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
pub enum SignatureFormat {
	/// An RE2 regular expression over the request.
	Regex,
	/// A Snort rule.
	Snort,
	/// A Sigma rule.
	Sigma,
	/// A YARA rule.
	Yara,
}

/// How bad it is.
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
pub enum Severity {
	/// Worth a note.
	Low,
	/// Worth a look.
	Medium,
	/// Worth an alert.
	High,
	/// Worth waking somebody.
	Critical,
}

/// A blocked network.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct IpBlock<T: Config> {
	/// Why.
	pub reason: BlockReason,
	/// The first block in which it is blocked no more.
	pub expires_at: BlockNumberFor<T>,
	/// Deposit for this entry.
	pub ticket: T::BlockConsideration,
}

impl<T: Config> IpBlock<T> {
	/// Whether the network is blocked in block `now`.
	pub fn is_live(&self, now: BlockNumberFor<T>) -> bool {
		now < self.expires_at
	}
}

/// An attack signature.
#[derive(
	CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
pub struct Signature<T: Config> {
	/// Who registered it, and pays for it.
	pub organisation: T::AccountId,
	/// The language of the pattern.
	pub format: SignatureFormat,
	/// How bad a match is.
	pub severity: Severity,
	/// The text.
	pub pattern: Pattern<T>,
	/// When it was registered.
	pub registered_at: BlockNumberFor<T>,
	/// Deposit for this entry.
	pub ticket: T::SignatureConsideration,
}
