//! # EMR pallet
//!
//! Who may read which medical record, and where its sealed bytes lie.
//!
//! The chain keeps facts, never content: ids, sizes, digests, access grants and wrapped keys. An
//! *organisation* is an account that stores records and pays the deposits for them; its
//! *operators* (sidecars, applications) act for it. A *patient* is a random id at one
//! organisation with a *controller* account that decides on access. A *record* is a range of
//! sealed bytes within an *object* on the storage network. A *grant* lets an account read one
//! record, or all records of a patient, until a block; past that block it gives nothing on read,
//! cleaned up or not.
//!
//! Deposits are holds (`Consideration`): the ticket stands beside the datum it pays for. One
//! ticket on an object covers its records too, so that a batch touches the custodian's balance
//! once.
//!
//! ## Example
#![doc = docify::embed!("src/tests/access.rs", an_expired_grant_gives_nothing)]
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]

extern crate alloc;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

mod impls;
#[cfg(any(feature = "try-runtime", test))]
mod invariants;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::boxed::Box;
	use frame_support::{
		pallet_prelude::*,
		traits::{Consideration, Footprint},
	};
	use frame_system::pallet_prelude::*;

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// Deposit for an organisation.
		type OrganisationConsideration: Consideration<Self::AccountId, Footprint>;

		/// Deposit for a patient.
		type PatientConsideration: Consideration<Self::AccountId, Footprint>;

		/// Deposit for an encryption key.
		type KeyConsideration: Consideration<Self::AccountId, Footprint>;

		/// Deposit for an object and its records.
		type ObjectConsideration: Consideration<Self::AccountId, Footprint>;

		/// Deposit for a grant; an inline key makes it larger.
		type GrantConsideration: Consideration<Self::AccountId, Footprint>;

		/// Operators of one organisation. They are decoded on every call of an operator, so
		/// keep it to what a hospital really runs.
		#[pallet::constant]
		type MaxOperators: Get<u32>;

		/// Records in one batch. Bounds the weight of one extrinsic.
		#[pallet::constant]
		type MaxBatch: Get<u32>;

		/// Records in one object. A pack of 32 MiB holds some 30,000 records of 1 kB.
		#[pallet::constant]
		type MaxRecordsPerObject: Get<u32>;

		/// Grants on one scope. Erasing a record removes them all in one call.
		#[pallet::constant]
		type MaxGrantsPerScope: Get<u32>;

		/// How far ahead a grant may expire, in blocks. Nothing is granted for ever.
		#[pallet::constant]
		type MaxGrantDuration: Get<BlockNumberFor<Self>>;

		/// What calls cost.
		type WeightInfo: WeightInfo;
	}

	/// Why an account's balance is held by this pallet.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// For an organisation.
		Organisation,
		/// For a patient.
		Patient,
		/// For an encryption key.
		EncryptionKey,
		/// For an object and its records.
		Object,
		/// For a grant.
		Grant,
	}

	/// Organisations by account.
	// Hasher: Blake2, callers choose their account. Paid by a hold, one per account.
	#[pallet::storage]
	pub type Organisations<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, Organisation<T>>;

	/// Patients by random id.
	// Hasher: Blake2, operators choose the ids. Paid by a hold of the organisation.
	#[pallet::storage]
	pub type Patients<T: Config> = StorageMap<_, Blake2_128Concat, PatientId, Patient<T>>;

	/// Encryption keys by account.
	// Hasher: Blake2, callers choose their account. Paid by a hold, one per account.
	#[pallet::storage]
	pub type EncryptionKeys<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, EncryptionKey<T>>;

	/// Stored objects by file id.
	// Hasher: Blake2, operators choose the ids. Paid by a hold of the custodian.
	#[pallet::storage]
	pub type Objects<T: Config> = StorageMap<_, Blake2_128Concat, ObjectId, Object<T>>;

	/// Anchored records by id.
	// Hasher: Blake2, operators choose the ids. Paid by the object's ticket, bounded by
	// `MaxRecordsPerObject` an object.
	#[pallet::storage]
	pub type Records<T: Config> = StorageMap<_, Blake2_128Concat, RecordId, Record<T>>;

	/// Grants by what they cover and who holds them, expired ones included until they are purged.
	// Hasher: Blake2, controllers choose both keys. Paid by a hold, bounded by `MaxGrantsPerScope`.
	#[pallet::storage]
	pub type Grants<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, Scope, Blake2_128Concat, T::AccountId, Grant<T>>;

	/// How many grants stand on a scope.
	// No entry of its own deposit: an entry exists only while a paid grant does.
	#[pallet::storage]
	pub type GrantCount<T: Config> = StorageMap<_, Blake2_128Concat, Scope, u32, ValueQuery>;

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// An account became an organisation.
		OrganisationRegistered {
			/// Its account.
			organisation: T::AccountId,
		},
		/// An organisation named the accounts that may act for it.
		OperatorsSet {
			/// The organisation.
			organisation: T::AccountId,
			/// All its operators from now on.
			operators: Operators<T>,
		},
		/// A patient was registered.
		PatientRegistered {
			/// The random id.
			patient: PatientId,
			/// Who registered him.
			organisation: T::AccountId,
			/// Who decides on access.
			controller: T::AccountId,
		},
		/// An account set its encryption key.
		EncryptionKeySet {
			/// The account.
			account: T::AccountId,
			/// Version of the new key.
			version: u32,
		},
		/// A new object was anchored.
		ObjectStored {
			/// The file id.
			object: ObjectId,
			/// Who answers for it.
			custodian: T::AccountId,
		},
		/// A record was anchored.
		RecordStored {
			/// The record.
			record: RecordId,
			/// Whose record it is.
			patient: PatientId,
			/// Where its bytes lie.
			object: ObjectId,
			/// Who answers for it.
			custodian: T::AccountId,
		},
		/// A record of a batch was left out; the others went on.
		RecordRejected {
			/// The record.
			record: RecordId,
			/// The object it was to be anchored in.
			object: ObjectId,
			/// Why.
			reason: RejectReason,
		},
		/// Access was granted, or a grant was renewed.
		AccessGranted {
			/// What it covers.
			scope: Scope,
			/// Who may read.
			grantee: T::AccountId,
			/// Until this block, exclusively.
			expires_at: BlockNumberFor<T>,
			/// Whose records they are: who keeps escrowed keys.
			custodian: T::AccountId,
			/// Why.
			purpose: Purpose,
		},
		/// A grant was withdrawn.
		AccessRevoked {
			/// What it covered.
			scope: Scope,
			/// Who could read.
			grantee: T::AccountId,
			/// Whose records they are.
			custodian: T::AccountId,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The account is an organisation already; use `set_operators` to change it.
		OrganisationExists,
		/// No such organisation; it must call `register_organisation` first.
		OrganisationUnknown,
		/// An account stands twice among the operators; name each once.
		DuplicateOperator,
		/// The signer is neither the organisation nor one of its operators.
		NotOperator,
		/// A patient has this id already; draw a new random one.
		PatientExists,
		/// No patient of this organisation has this id; register him first.
		PatientUnknown,
		/// Only the patient's controller may do this.
		NotController,
		/// A record with this id is anchored already; the first one stands.
		RecordExists,
		/// No record has this id.
		RecordUnknown,
		/// The record has no bytes, or they do not lie within the object.
		OutsideObject,
		/// The object has all its records already.
		ObjectFull,
		/// The object is anchored with another size, record count or manifest root.
		ObjectMismatch,
		/// Another organisation is the object's custodian.
		ObjectForeign,
		/// An object needs a size, at least one record, and at most `MaxRecordsPerObject`.
		ObjectInvalid,
		/// A batch needs at least one record.
		BatchEmpty,
		/// The grant would expire at once; choose a later block.
		ExpiryInPast,
		/// The grant would live too long; choose a block within `MaxGrantDuration`.
		ExpiryTooFar,
		/// The scope has `MaxGrantsPerScope` grants; revoke one first.
		GrantsFull,
		/// There is no such grant.
		GrantUnknown,
		/// The grantee has no encryption key; he must call `set_encryption_key` first.
		NoEncryptionKey,
		/// The key is not wrapped to the grantee's present encryption key; wrap it again.
		EncryptionKeyStale,
		/// A wrapped key is 1,168 bytes long.
		WrappedKeyInvalid,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxBatch::get() > 0, "`MaxBatch` of zero would anchor nothing");
			assert!(T::MaxRecordsPerObject::get() > 0, "an object needs room for a record");
			assert!(T::MaxGrantsPerScope::get() > 0, "a scope needs room for a grant");
			assert!(
				T::MaxGrantDuration::get() > Default::default(),
				"`MaxGrantDuration` of zero would refuse every grant"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Make the signer an organisation and name the accounts that may act for it.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the account that is to be the organisation. It pays the deposit.
		///
		/// ## Errors
		///
		/// - [`Error::OrganisationExists`], [`Error::DuplicateOperator`]
		///
		/// ## Events
		///
		/// [`Event::OrganisationRegistered`], [`Event::OperatorsSet`]
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::register_organisation(operators.len() as u32))]
		pub fn register_organisation(
			origin: OriginFor<T>,
			operators: Operators<T>,
		) -> DispatchResult {
			let organisation = ensure_signed(origin)?;
			Self::do_register_organisation(organisation, operators)
		}

		/// Replace the accounts that may act for the signer's organisation.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the organisation itself; operators cannot name operators.
		///
		/// ## Errors
		///
		/// - [`Error::OrganisationUnknown`], [`Error::DuplicateOperator`]
		///
		/// ## Events
		///
		/// [`Event::OperatorsSet`]
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::set_operators(operators.len() as u32))]
		pub fn set_operators(origin: OriginFor<T>, operators: Operators<T>) -> DispatchResult {
			let organisation = ensure_signed(origin)?;
			Self::do_set_operators(organisation, operators)
		}

		/// Register a patient under a random id.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the organisation or one of its operators. The organisation pays the
		/// deposit; no fee is due on success.
		///
		/// ## Details
		///
		/// Without a `controller` the organisation decides on access until the patient claims
		/// his entry. The id must not be derived from the patient's identity.
		///
		/// ## Errors
		///
		/// - [`Error::OrganisationUnknown`], [`Error::NotOperator`], [`Error::PatientExists`]
		///
		/// ## Events
		///
		/// [`Event::PatientRegistered`]
		#[pallet::call_index(2)]
		pub fn register_patient(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			patient: PatientId,
			controller: Option<T::AccountId>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::ensure_operator(&organisation, &who)?;
			Self::do_register_patient(organisation, patient, controller)?;
			Ok(Pays::No.into())
		}

		/// Set the public key that data keys are wrapped to for the signer.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by any account. It pays the deposit.
		///
		/// ## Details
		///
		/// Keys that were wrapped to an earlier version stay readable with the earlier private
		/// key, which the account must keep until its grants are renewed.
		///
		/// ## Events
		///
		/// [`Event::EncryptionKeySet`]
		#[pallet::call_index(5)]
		pub fn set_encryption_key(
			origin: OriginFor<T>,
			// Boxed to keep the runtime's call enum small; the encoding is the same.
			public: Box<EncryptionPublicKey>,
		) -> DispatchResult {
			let account = ensure_signed(origin)?;
			Self::do_set_encryption_key(account, *public)
		}

		/// Anchor one record of an object.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the organisation or one of its operators. The organisation becomes the
		/// object's custodian and pays the deposit; no fee is due on success.
		///
		/// ## Errors
		///
		/// - [`Error::RecordExists`]: the id is taken; nothing changes.
		/// - [`Error::OrganisationUnknown`], [`Error::NotOperator`], [`Error::PatientUnknown`],
		///   [`Error::OutsideObject`], [`Error::ObjectFull`], [`Error::ObjectMismatch`],
		///   [`Error::ObjectForeign`], [`Error::ObjectInvalid`]
		///
		/// ## Events
		///
		/// [`Event::RecordStored`], and [`Event::ObjectStored`] with an object's first record.
		#[pallet::call_index(6)]
		pub fn store_emr(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			object: ObjectInfo,
			record: RecordInfo,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::ensure_operator(&organisation, &who)?;
			Self::do_store_one(organisation, object, record)?;
			Ok(Pays::No.into())
		}

		/// Anchor several records of one object.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::store_emr`].
		///
		/// ## Details
		///
		/// A record that cannot be anchored is left out and reported; the others go on. So a
		/// batch can be sent again after an unknown outcome. `O(R)` in the records.
		///
		/// ## Errors
		///
		/// - [`Error::BatchEmpty`], [`Error::OrganisationUnknown`], [`Error::NotOperator`],
		///   [`Error::ObjectMismatch`], [`Error::ObjectForeign`], [`Error::ObjectInvalid`]
		///
		/// ## Events
		///
		/// [`Event::RecordStored`] or [`Event::RecordRejected`] for each record, and
		/// [`Event::ObjectStored`] with an object's first record.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::store_emr_batch(records.len() as u32))]
		pub fn store_emr_batch(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			object: ObjectInfo,
			records: BoundedVec<RecordInfo, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::ensure_operator(&organisation, &who)?;
			Self::do_store_batch(organisation, object, &records)?;
			Ok(Pays::No.into())
		}

		/// Let an account read one record, or all records of a patient, until a block.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the patient's controller; where that is an organisation, also by its
		/// operators. The controller pays the deposit.
		///
		/// ## Details
		///
		/// An existing grant for the same scope and grantee is replaced: so a grant is
		/// extended, shortened, or given a newly wrapped key.
		///
		/// ## Errors
		///
		/// - [`Error::RecordUnknown`], [`Error::PatientUnknown`], [`Error::NotController`],
		///   [`Error::ExpiryInPast`], [`Error::ExpiryTooFar`], [`Error::GrantsFull`],
		///   [`Error::NoEncryptionKey`], [`Error::EncryptionKeyStale`],
		///   [`Error::WrappedKeyInvalid`]
		///
		/// ## Events
		///
		/// [`Event::AccessGranted`]
		#[pallet::call_index(9)]
		pub fn grant_access(
			origin: OriginFor<T>,
			scope: Scope,
			grantee: T::AccountId,
			expires_at: BlockNumberFor<T>,
			purpose: Purpose,
			key: KeyState,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_grant_access(&who, scope, grantee, expires_at, purpose, key)
		}

		/// Withdraw a grant.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::grant_access`]. The deposit goes back to who paid it.
		///
		/// ## Errors
		///
		/// - [`Error::RecordUnknown`], [`Error::PatientUnknown`], [`Error::NotController`],
		///   [`Error::GrantUnknown`]
		///
		/// ## Events
		///
		/// [`Event::AccessRevoked`]
		#[pallet::call_index(11)]
		pub fn revoke_access(
			origin: OriginFor<T>,
			scope: Scope,
			grantee: T::AccountId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_revoke_access(&who, scope, grantee)
		}
	}
}
