//! Why an item of a batch was left out.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{Config, Error};

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
	/// As [`Error::RecordUnknown`].
	RecordUnknown,
	/// As [`Error::RecordInPlace`].
	RecordInPlace,
	/// As [`Error::RecordMismatch`].
	RecordMismatch,
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
			RejectReason::RecordUnknown => Self::RecordUnknown,
			RejectReason::RecordInPlace => Self::RecordInPlace,
			RejectReason::RecordMismatch => Self::RecordMismatch,
		}
	}
}
