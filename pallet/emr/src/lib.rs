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
//! cleaned up or not. A *request* asks the controller for a grant.
//!
//! A person without an organisation registers his own account as one and himself as its patient;
//! then he is custodian and controller in one.
//!
//! Erasing a record leaves a tombstone under its id, so that an id is never used twice. It says
//! who erased it and when, and nothing of whose record it was.
//!
//! A record can come to lie in another object, as it is or sealed anew: what does not change is its
//! id, its patient, its format, its custodian, and who may read it.
//!
//! Calls of an organisation's operators are free of fee when they succeed; a batch of which nothing
//! was taken has not.
//!
//! Deposits are holds (`Consideration`): the ticket stands beside the datum it pays for. One
//! ticket on an object covers its records too, so that a batch touches the custodian's balance
//! once. The tombstones of an organisation are paid by its own ticket.
//!
//! What expires stands in [`Expiries`], the earliest first. `on_idle` removes what is due with the
//! weight that a block has left; [`Pallet::purge_expired`] lets anybody remove the rest. Nothing
//! depends on either: expired is absent on read.
//!
//! ## Example
#![doc = docify::embed!("src/tests/access.rs", an_expired_grant_gives_nothing)]
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]

extern crate alloc;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
mod impls;
#[cfg(any(feature = "try-runtime", test))]
mod invariants;
#[cfg(test)]
mod mock;
pub mod runtime_api;
#[cfg(test)]
mod tests;
mod types;
pub mod weights;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::boxed::Box;
	use caregrid_expiry::DueBlock;
	use frame_support::{
		dispatch::PostDispatchInfo,
		pallet_prelude::*,
		traits::{Consideration, Footprint},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// Who may become an organisation, and as which account.
		type OrganisationOrigin: EnsureOrigin<Self::RuntimeOrigin, Success = Self::AccountId>;

		/// Deposit for an organisation and its tombstones.
		type OrganisationConsideration: Consideration<Self::AccountId, Footprint>;

		/// Deposit for a patient.
		type PatientConsideration: Consideration<Self::AccountId, Footprint>;

		/// Deposit for an encryption key.
		type KeyConsideration: Consideration<Self::AccountId, Footprint>;

		/// Deposit for an object and its records.
		type ObjectConsideration: Consideration<Self::AccountId, Footprint>;

		/// Deposit for a grant; an inline key makes it larger.
		type GrantConsideration: Consideration<Self::AccountId, Footprint>;

		/// Deposit for an access request.
		type RequestConsideration: Consideration<Self::AccountId, Footprint>;

		/// Operators of one organisation. They are decoded on every call of an operator, so
		/// keep it to what a hospital really runs.
		#[pallet::constant]
		type MaxOperators: Get<u32>;

		/// Members of one organisation's emergency role.
		#[pallet::constant]
		type MaxEmergencyMembers: Get<u32>;

		/// Items in one batch of records, patients, keys, reports or expired things. Bounds the
		/// weight of one extrinsic.
		#[pallet::constant]
		type MaxBatch: Get<u32>;

		/// Records in one object. A pack of 32 MiB holds some 30,000 records of 1 kB.
		#[pallet::constant]
		type MaxRecordsPerObject: Get<u32>;

		/// Grants on one scope. Erasing a record removes them all in one call. Emergency access
		/// may exceed it by `MaxEmergencyMembers`: it must not fail because others have access.
		#[pallet::constant]
		type MaxGrantsPerScope: Get<u32>;

		/// How far ahead a grant may expire, in blocks. Nothing is granted for ever.
		#[pallet::constant]
		type MaxGrantDuration: Get<BlockNumberFor<Self>>;

		/// How far ahead an access request may expire, in blocks.
		#[pallet::constant]
		type MaxRequestDuration: Get<BlockNumberFor<Self>>;

		/// How long emergency access lasts, in blocks. Short: whoever needs it longer asks.
		#[pallet::constant]
		type EmergencyDuration: Get<BlockNumberFor<Self>>;

		/// What calls cost.
		type WeightInfo: WeightInfo;

		/// What benchmarks need of the runtime.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: benchmarking::BenchmarkHelper<Self::AccountId>;
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
		/// For an access request.
		Request,
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

	/// Anchored records by id, and the tombstones of erased ones.
	// Hasher: Blake2, operators choose the ids. A record is paid by the object's ticket, bounded by
	// `MaxRecordsPerObject` an object; a tombstone by the organisation's.
	#[pallet::storage]
	pub type Records<T: Config> = StorageMap<_, Blake2_128Concat, RecordId, RecordEntry<T>>;

	/// The records of each patient, so that they can be listed.
	// Hasher: Blake2, operators choose both ids. Paid by the object's ticket.
	#[pallet::storage]
	pub type PatientRecords<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, PatientId, Blake2_128Concat, RecordId, ()>;

	/// Grants by what they cover and who holds them, expired ones included until they are purged.
	// Hasher: Blake2, controllers choose both keys. Paid by a hold, bounded by `MaxGrantsPerScope`.
	#[pallet::storage]
	pub type Grants<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, Scope, Blake2_128Concat, T::AccountId, Grant<T>>;

	/// How many grants stand on a scope.
	// No entry of its own deposit: an entry exists only while a paid grant does.
	#[pallet::storage]
	pub type GrantCount<T: Config> = StorageMap<_, Blake2_128Concat, Scope, u32, ValueQuery>;

	/// Requests for access by record and by who asks, expired ones included until they are purged.
	// Hasher: Blake2, requesters choose both keys. Paid by a hold of the requester, and bounded by
	// it: nobody can keep others from asking. A request may outlive its record; then it is due.
	#[pallet::storage]
	pub type AccessRequests<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		RecordId,
		Blake2_128Concat,
		T::AccountId,
		AccessRequest<T>,
	>;

	/// What expires at which block.
	// First hasher: Identity on a big-endian number, so that iteration finds the earliest first. A
	// double map and not a list for each block: no list can be full. Paid by what it names.
	#[pallet::storage]
	pub type Expiries<T: Config> =
		StorageDoubleMap<_, Identity, DueBlock, Blake2_128Concat, Expirable<T::AccountId>, ()>;

	/// The last entry of [`Expiries`] that idle time removed; the next search starts behind it.
	// Without it a search would walk over what was removed earlier. Sound because whatever is
	// indexed later expires in the future, and so stands behind it.
	#[pallet::storage]
	pub type ExpiryCursor<T: Config> = StorageValue<_, (DueBlock, Expirable<T::AccountId>)>;

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
		/// An organisation named its emergency role.
		EmergencyMembersSet {
			/// The organisation.
			organisation: T::AccountId,
			/// All members from now on.
			members: EmergencyMembers<T>,
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
		/// A patient of a batch was left out; the others went on.
		PatientRejected {
			/// The id.
			patient: PatientId,
			/// Who wanted to register him.
			organisation: T::AccountId,
			/// Why.
			reason: RejectReason,
		},
		/// An account may claim a patient's entry.
		PatientOffered {
			/// The patient.
			patient: PatientId,
			/// Who registered him.
			organisation: T::AccountId,
			/// Who may claim the entry.
			to: T::AccountId,
		},
		/// A patient's entry has a new controller.
		PatientClaimed {
			/// The patient.
			patient: PatientId,
			/// Who registered him.
			organisation: T::AccountId,
			/// Who decides on access from now on.
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
			/// The object it was to lie in.
			object: ObjectId,
			/// Why.
			reason: RejectReason,
		},
		/// A record was erased; its grants are gone with it.
		RecordErased {
			/// The record.
			record: RecordId,
			/// Where its bytes lie until the custodian deletes or repacks the object.
			object: ObjectId,
			/// Who answers for it.
			custodian: T::AccountId,
		},
		/// The last record of an object was erased or moved; the object may be deleted.
		ObjectRemoved {
			/// The file id.
			object: ObjectId,
			/// Who answered for it.
			custodian: T::AccountId,
		},
		/// A custodian committed to what an object's proofs are checked against.
		ProofCommitted {
			/// The object.
			object: ObjectId,
			/// Who answers for it.
			custodian: T::AccountId,
			/// SHA-256 over the tags.
			tags: Digest,
		},
		/// Somebody asks for access to a record.
		AccessRequested {
			/// The record.
			record: RecordId,
			/// Who asks.
			requester: T::AccountId,
			/// What for.
			purpose: Purpose,
			/// Until this block, exclusively.
			expires_at: BlockNumberFor<T>,
			/// Whose record it is.
			patient: PatientId,
			/// Who decides.
			controller: T::AccountId,
			/// Who answers for the record.
			custodian: T::AccountId,
		},
		/// A request was denied.
		RequestDenied {
			/// The record.
			record: RecordId,
			/// Who asked.
			requester: T::AccountId,
			/// Who answers for the record.
			custodian: T::AccountId,
		},
		/// A request expired, or its record was erased, and it was removed.
		RequestExpired {
			/// The record.
			record: RecordId,
			/// Who asked.
			requester: T::AccountId,
			/// Since this block it stood no more, unless its record was erased before.
			expires_at: BlockNumberFor<T>,
			/// Who answers for the record.
			custodian: T::AccountId,
		},
		/// Access was granted, or a grant was renewed.
		AccessGranted {
			/// What it covers.
			scope: Scope,
			/// Whose records they are.
			patient: PatientId,
			/// Who may read.
			grantee: T::AccountId,
			/// Until this block, exclusively.
			expires_at: BlockNumberFor<T>,
			/// Who keeps escrowed keys, and delivers pending ones.
			custodian: T::AccountId,
			/// Why.
			purpose: Purpose,
			/// Version of the grantee's encryption key that the data key is wrapped to; none while
			/// the key is pending.
			key_version: Option<u32>,
		},
		/// A custodian delivered the key for a grant.
		KeyDelivered {
			/// What the grant covers.
			scope: Scope,
			/// Who may read.
			grantee: T::AccountId,
			/// Who delivered.
			custodian: T::AccountId,
			/// Version of the grantee's encryption key.
			key_version: u32,
		},
		/// A key of a batch was left out; the others went on.
		KeyRejected {
			/// What the grant would cover.
			scope: Scope,
			/// Who would hold it.
			grantee: T::AccountId,
			/// Why.
			reason: RejectReason,
		},
		/// A grant was withdrawn.
		AccessRevoked {
			/// What it covered.
			scope: Scope,
			/// Whose records they are.
			patient: PatientId,
			/// Who could read.
			grantee: T::AccountId,
			/// Who keeps escrowed keys.
			custodian: T::AccountId,
		},
		/// A grant expired and was removed.
		AccessExpired {
			/// What it covered.
			scope: Scope,
			/// Who could read.
			grantee: T::AccountId,
			/// Since this block it gave nothing.
			expires_at: BlockNumberFor<T>,
			/// Who keeps escrowed keys.
			custodian: T::AccountId,
		},
		/// A member of the emergency role broke the glass. The patient is to be told.
		EmergencyAccessOpened {
			/// What it covers.
			scope: Scope,
			/// Whose records they are.
			patient: PatientId,
			/// Who may read.
			member: T::AccountId,
			/// Why.
			reason: EmergencyReason,
			/// Until this block, exclusively.
			expires_at: BlockNumberFor<T>,
			/// Whose member he is, and who delivers the key.
			custodian: T::AccountId,
			/// Who decides on access otherwise.
			controller: T::AccountId,
		},
		/// A custodian reported how well an object is stored.
		StorageHealthReported {
			/// The object.
			object: ObjectId,
			/// Who answers for it.
			custodian: T::AccountId,
			/// As [`HealthReport::health`].
			health: sp_runtime::Permill,
			/// As [`HealthReport::replicas`].
			replicas: u16,
			/// As [`HealthReport::nodes`].
			nodes: u16,
		},
		/// A custodian reported what came of a challenge.
		IntegrityReported {
			/// The object.
			object: ObjectId,
			/// Who answers for it.
			custodian: T::AccountId,
			/// As [`IntegrityReport::scheme`].
			scheme: ProofScheme,
			/// As [`IntegrityReport::outcome`].
			outcome: AuditOutcome,
			/// As [`IntegrityReport::challenged_at`].
			challenged_at: BlockNumberFor<T>,
			/// As [`IntegrityReport::proof_digest`].
			proof_digest: Digest,
		},
		/// A report of a batch was left out; the others went on.
		ReportRejected {
			/// The object.
			object: ObjectId,
			/// Why.
			reason: RejectReason,
		},
		/// Something was not purged; the others were.
		PurgeRejected {
			/// What was named.
			item: Expirable<T::AccountId>,
			/// Why.
			reason: RejectReason,
		},
		/// A record lies in another object; its grants stay.
		RecordMoved {
			/// The record.
			record: RecordId,
			/// Whose record it is.
			patient: PatientId,
			/// Where its bytes lay.
			from: ObjectId,
			/// Where its bytes lie.
			object: ObjectId,
			/// Who answers for it.
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
		/// An account stands twice in the emergency role; name each once.
		DuplicateMember,
		/// The signer is neither the organisation nor one of its operators.
		NotOperator,
		/// The signer is not in the emergency role of the patient's organisation.
		NotEmergencyMember,
		/// A patient has this id already; draw a new random one.
		PatientExists,
		/// No patient of this organisation has this id; register him first.
		PatientUnknown,
		/// Only the patient's controller may do this.
		NotController,
		/// The entry is not offered to the signer; its controller must call `offer_patient`.
		NotOffered,
		/// A record with this id is anchored already; the first one stands.
		RecordExists,
		/// No record has this id.
		RecordUnknown,
		/// The record with this id was erased; an id is never used again.
		RecordErased,
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
		/// No object has this id.
		ObjectUnknown,
		/// A batch needs at least one item.
		BatchEmpty,
		/// It would expire at once; choose a later block.
		ExpiryInPast,
		/// It would live too long; choose a block within `MaxGrantDuration`, for a request within
		/// `MaxRequestDuration`.
		ExpiryTooFar,
		/// The scope has `MaxGrantsPerScope` grants; revoke one first.
		GrantsFull,
		/// There is no such grant.
		GrantUnknown,
		/// The grant has expired; a new one must be given.
		GrantExpired,
		/// The signer can read that already, for at least as long.
		AccessLive,
		/// There is no such request, or it has expired.
		RequestUnknown,
		/// It has not expired yet.
		NotDue,
		/// The grantee has no encryption key; he must call `set_encryption_key` first.
		NoEncryptionKey,
		/// The key is not wrapped to the grantee's present encryption key; wrap it again.
		EncryptionKeyStale,
		/// A wrapped key is 1,168 bytes long.
		WrappedKeyInvalid,
		/// A delivery needs a key, escrowed or inline.
		KeyMissing,
		/// A challenge comes from a past block, after the object and its proof were committed and
		/// not before the last report's; and a publicly verifiable proof needs a commitment.
		ReportInvalid,
		/// The account that pays has too few free tokens for the deposit.
		DepositUnpayable,
		/// The record stands at this place already; nothing is to be moved.
		RecordInPlace,
		/// The record is anchored for another patient, in another format, or elsewhere in this object,
		/// whose bytes never change.
		RecordMismatch,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxBatch::get() > 0, "`MaxBatch` of zero would anchor nothing");
			assert!(T::MaxRecordsPerObject::get() > 0, "an object needs room for a record");
			assert!(T::MaxGrantsPerScope::get() > 0, "a scope needs room for a grant");
			let zero = BlockNumberFor::<T>::default();
			assert!(T::MaxGrantDuration::get() > zero, "no grant could be given");
			assert!(T::MaxRequestDuration::get() > zero, "nobody could ask for access");
			assert!(T::EmergencyDuration::get() > zero, "emergency access would end at once");
			assert!(
				T::EmergencyDuration::get() <= T::MaxGrantDuration::get(),
				"emergency access must not outlast ordinary grants"
			);
		}

		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::drain_expired(&mut meter);
			meter.consumed()
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
		/// [`Config::OrganisationOrigin`]; the account that it yields becomes the organisation and
		/// pays the deposit.
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
			let organisation = T::OrganisationOrigin::ensure_origin(origin)?;
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
			Self::do_register_patient(&organisation, patient, controller)
				.map_err(Error::<T>::from)?;
			Ok(Pays::No.into())
		}

		/// Register several patients.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::register_patient`].
		///
		/// ## Details
		///
		/// A patient who cannot be registered is left out and reported; the others go on. `O(P)`
		/// in the patients.
		///
		/// ## Errors
		///
		/// - [`Error::BatchEmpty`], [`Error::OrganisationUnknown`], [`Error::NotOperator`]
		///
		/// ## Events
		///
		/// [`Event::PatientRegistered`] or [`Event::PatientRejected`] for each.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::register_patients(patients.len() as u32))]
		pub fn register_patients(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			patients: BoundedVec<(PatientId, Option<T::AccountId>), T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::ensure_operator(&organisation, &who)?;
			let good = Self::do_register_patients(organisation, patients.into_inner())?;
			Ok(free_if(good > 0))
		}

		/// Become the controller of a patient's entry that was offered to the signer.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the account that [`Pallet::offer_patient`] named.
		///
		/// ## Details
		///
		/// Grants that stand stay; from now on only the new controller gives and withdraws them.
		///
		/// ## Errors
		///
		/// - [`Error::PatientUnknown`], [`Error::NotOffered`]
		///
		/// ## Events
		///
		/// [`Event::PatientClaimed`]
		#[pallet::call_index(4)]
		pub fn claim_patient(origin: OriginFor<T>, patient: PatientId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_claim_patient(who, patient)
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
		/// - [`Error::RecordExists`], [`Error::RecordErased`]: the id is taken; nothing changes.
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
			let good = Self::do_store_batch(organisation, object, &records)?;
			Ok(free_if(good > 0))
		}

		/// Ask the controller of a record for access to it.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by any account. It pays the deposit until the request is answered or expires.
		///
		/// ## Details
		///
		/// Asking again replaces the request. A grant to the requester answers it.
		///
		/// ## Errors
		///
		/// - [`Error::RecordUnknown`], [`Error::RecordErased`], [`Error::ExpiryInPast`],
		///   [`Error::ExpiryTooFar`]
		///
		/// ## Events
		///
		/// [`Event::AccessRequested`]
		#[pallet::call_index(8)]
		pub fn request_access(
			origin: OriginFor<T>,
			record: RecordId,
			purpose: Purpose,
			expires_at: BlockNumberFor<T>,
		) -> DispatchResult {
			let requester = ensure_signed(origin)?;
			Self::do_request_access(requester, record, purpose, expires_at)
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
		/// extended, shortened, or given a newly wrapped key. A pending key is delivered by the
		/// custodian's [`Pallet::deliver_keys`].
		///
		/// ## Errors
		///
		/// - [`Error::RecordUnknown`], [`Error::RecordErased`], [`Error::PatientUnknown`], [`Error::NotController`],
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

		/// Refuse a request for access.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::grant_access`]. The deposit goes back to the requester.
		///
		/// ## Errors
		///
		/// - [`Error::RecordUnknown`], [`Error::RecordErased`], [`Error::NotController`],
		///   [`Error::RequestUnknown`]
		///
		/// ## Events
		///
		/// [`Event::RequestDenied`]
		#[pallet::call_index(10)]
		pub fn deny_request(
			origin: OriginFor<T>,
			record: RecordId,
			requester: T::AccountId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_deny_request(&who, record, requester)
		}

		/// Withdraw a grant.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::grant_access`]. The deposit goes back to who paid it.
		///
		/// ## Errors
		///
		/// - [`Error::RecordUnknown`], [`Error::RecordErased`], [`Error::PatientUnknown`],
		///   [`Error::NotController`], [`Error::GrantUnknown`]
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

		/// Deliver the keys of live grants: pending ones, and new ones in place of old ones.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the custodian organisation or one of its operators; no fee is due on
		/// success.
		///
		/// ## Details
		///
		/// A key takes the place of whatever stood there: of one wrapped to the grantee's earlier
		/// encryption key, or of the key of a record that was sealed anew. A key that cannot be
		/// delivered is left out and reported; the others go on. For an inline key the custodian
		/// takes the deposit over. `O(K)` in the keys.
		///
		/// ## Errors
		///
		/// - [`Error::BatchEmpty`], [`Error::OrganisationUnknown`], [`Error::NotOperator`]
		///
		/// ## Events
		///
		/// [`Event::KeyDelivered`] or [`Event::KeyRejected`] for each.
		#[pallet::call_index(12)]
		#[pallet::weight(T::WeightInfo::deliver_keys(keys.len() as u32))]
		pub fn deliver_keys(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			keys: BoundedVec<KeyDelivery<T::AccountId>, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::ensure_operator(&organisation, &who)?;
			let good = Self::do_deliver_keys(organisation, keys.into_inner())?;
			Ok(free_if(good > 0))
		}

		/// Break the glass: read at once, without asking, for a short time and on the record.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by a member of the emergency role of the patient's organisation, which pays
		/// the deposit; no fee is due on success.
		///
		/// ## Details
		///
		/// The grant lasts `EmergencyDuration`; its key is pending, and the custodian delivers it
		/// at once. The controller can revoke it as any other.
		///
		/// ## Errors
		///
		/// - [`Error::RecordUnknown`], [`Error::RecordErased`], [`Error::PatientUnknown`],
		///   [`Error::NotEmergencyMember`], [`Error::AccessLive`]
		///
		/// ## Events
		///
		/// [`Event::EmergencyAccessOpened`]
		#[pallet::call_index(13)]
		pub fn open_emergency_access(
			origin: OriginFor<T>,
			scope: Scope,
			reason: EmergencyReason,
		) -> DispatchResultWithPostInfo {
			let member = ensure_signed(origin)?;
			Self::do_open_emergency_access(member, scope, reason)?;
			Ok(Pays::No.into())
		}

		/// Erase a record and every grant on it; a tombstone keeps its id from being used again.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the custodian organisation or one of its operators; no fee is due on
		/// success. Not by the patient: the custodian may have a duty to keep records, and
		/// without him the bytes and the keys would stay.
		///
		/// ## Details
		///
		/// The deposits of grants and record go back to who paid them; the custodian pays for the
		/// tombstone. With an object's last record the object goes too. `O(G)` in the record's
		/// grants; what was declared for more is refunded.
		///
		/// ## Errors
		///
		/// - [`Error::RecordUnknown`], [`Error::RecordErased`], [`Error::ObjectForeign`],
		///   [`Error::OrganisationUnknown`], [`Error::NotOperator`]
		///
		/// ## Events
		///
		/// [`Event::AccessRevoked`] for each grant, [`Event::RecordErased`], and
		/// [`Event::ObjectRemoved`] with the object's last record.
		#[pallet::call_index(14)]
		#[pallet::weight(T::WeightInfo::erase_record(Pallet::<T>::most_grants()))]
		pub fn erase_record(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			record: RecordId,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::ensure_operator(&organisation, &who)?;
			let grants = Self::do_erase_record(organisation, record)?;
			Ok(PostDispatchInfo {
				actual_weight: Some(T::WeightInfo::erase_record(grants)),
				pays_fee: Pays::No,
			})
		}

		/// Report how well objects are stored.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the custodian organisation or one of its operators; no fee is due on
		/// success.
		///
		/// ## Details
		///
		/// A report that does not hold is left out; the others go on. `O(R)` in the reports.
		///
		/// ## Errors
		///
		/// - [`Error::BatchEmpty`], [`Error::OrganisationUnknown`], [`Error::NotOperator`]
		///
		/// ## Events
		///
		/// [`Event::StorageHealthReported`] or [`Event::ReportRejected`] for each.
		#[pallet::call_index(15)]
		#[pallet::weight(T::WeightInfo::report_storage_health(reports.len() as u32))]
		pub fn report_storage_health(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			reports: BoundedVec<HealthReport, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::ensure_operator(&organisation, &who)?;
			let good = Self::do_report_storage_health(&organisation, &reports)?;
			Ok(free_if(good > 0))
		}

		/// Report what came of challenges to storage nodes.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::report_storage_health`].
		///
		/// ## Details
		///
		/// The chain does not check the proof; it notes the proof's digest, so that an outsider
		/// who is given it can. A report that does not hold is left out; the others go on. `O(R)`
		/// in the reports.
		///
		/// ## Errors
		///
		/// - [`Error::BatchEmpty`], [`Error::OrganisationUnknown`], [`Error::NotOperator`]
		///
		/// ## Events
		///
		/// [`Event::IntegrityReported`] or [`Event::ReportRejected`] for each.
		#[pallet::call_index(16)]
		#[pallet::weight(T::WeightInfo::report_integrity(reports.len() as u32))]
		pub fn report_integrity(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			reports: BoundedVec<IntegrityReport<BlockNumberFor<T>>, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::ensure_operator(&organisation, &who)?;
			let good = Self::do_report_integrity(&organisation, &reports)?;
			Ok(free_if(good > 0))
		}

		/// Remove grants and requests that have expired.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by anybody. Free of fee when at least 90 % of the items were due. The deposits
		/// go back to who paid them.
		///
		/// ## Details
		///
		/// What is not due is left and reported; the others go. A request is due, too, when its
		/// record was erased. `O(I)` in the items.
		///
		/// ## Errors
		///
		/// - [`Error::BatchEmpty`]
		///
		/// ## Events
		///
		/// [`Event::AccessExpired`], [`Event::RequestExpired`] or [`Event::PurgeRejected`] for each.
		#[pallet::call_index(17)]
		#[pallet::weight(T::WeightInfo::purge_expired(items.len() as u32))]
		pub fn purge_expired(
			origin: OriginFor<T>,
			items: BoundedVec<Expirable<T::AccountId>, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let given = items.len() as u32;
			let removed = Self::do_purge_expired(items.into_inner())?;
			Ok(free_if(caregrid_expiry::mostly_due(removed, given)))
		}

		/// Replace the accounts that may open emergency access at the signer's organisation.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the organisation itself.
		///
		/// ## Details
		///
		/// Access that a former member has opened stays until it expires or is revoked.
		///
		/// ## Errors
		///
		/// - [`Error::OrganisationUnknown`], [`Error::DuplicateMember`]
		///
		/// ## Events
		///
		/// [`Event::EmergencyMembersSet`]
		#[pallet::call_index(18)]
		#[pallet::weight(T::WeightInfo::set_emergency_members(members.len() as u32))]
		pub fn set_emergency_members(
			origin: OriginFor<T>,
			members: EmergencyMembers<T>,
		) -> DispatchResult {
			let organisation = ensure_signed(origin)?;
			Self::do_set_emergency_members(organisation, members)
		}

		/// Offer a patient's entry to the account that is to be its controller.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the patient's controller; where that is the organisation, also by its
		/// operators.
		///
		/// ## Details
		///
		/// The account takes it by [`Pallet::claim_patient`]. Offering again replaces the offer;
		/// a patient moves to a new wallet in the same two steps.
		///
		/// ## Errors
		///
		/// - [`Error::PatientUnknown`], [`Error::NotController`]
		///
		/// ## Events
		///
		/// [`Event::PatientOffered`]
		#[pallet::call_index(19)]
		pub fn offer_patient(
			origin: OriginFor<T>,
			patient: PatientId,
			to: T::AccountId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_offer_patient(&who, patient, to)
		}

		/// Commit to what an object's proofs of storage are checked against.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by the custodian organisation or one of its operators; no fee is due on
		/// success.
		///
		/// ## Details
		///
		/// Committing again replaces the commitment; challenges from then on come from later
		/// blocks.
		///
		/// ## Errors
		///
		/// - [`Error::OrganisationUnknown`], [`Error::NotOperator`], [`Error::ObjectUnknown`],
		///   [`Error::ObjectForeign`]
		///
		/// ## Events
		///
		/// [`Event::ProofCommitted`]
		#[pallet::call_index(20)]
		pub fn commit_proof(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			object: ObjectId,
			key: ProofKey,
			tags: Digest,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::ensure_operator(&organisation, &who)?;
			Self::do_commit_proof(&organisation, object, key, tags)?;
			Ok(Pays::No.into())
		}

		/// Say that anchored records lie in another object, as they were or sealed anew.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::store_emr`], of the organisation that is the custodian of the records.
		///
		/// ## Details
		///
		/// `object` is new, or has room in its manifest. A record keeps its patient, its format, the
		/// block of its anchoring, and its grants; place, length and digest are replaced. Where the
		/// digest changes, the custodian delivers the keys again. An object whose last record moves is
		/// removed, and its deposit goes back before that of `object` is taken. A record that cannot
		/// be moved is left out and reported, [`Error::RecordInPlace`] for one that stands so already;
		/// the others go on. So a batch can be sent again after an unknown outcome. `O(R)` in the
		/// records.
		///
		/// ## Errors
		///
		/// - [`Error::BatchEmpty`], [`Error::OrganisationUnknown`], [`Error::NotOperator`],
		///   [`Error::ObjectMismatch`], [`Error::ObjectForeign`], [`Error::ObjectInvalid`]
		///
		/// ## Events
		///
		/// [`Event::RecordMoved`] or [`Event::RecordRejected`] for each record, [`Event::ObjectRemoved`]
		/// for each object that has none left, and [`Event::ObjectStored`] with an object's first
		/// record.
		#[pallet::call_index(21)]
		#[pallet::weight(T::WeightInfo::move_records(records.len() as u32))]
		pub fn move_records(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			object: ObjectInfo,
			records: BoundedVec<RecordInfo, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::ensure_operator(&organisation, &who)?;
			let good = Self::do_move_records(organisation, object, &records)?;
			Ok(free_if(good > 0))
		}
	}

	/// No fee for what was of use. Who only sends what is left out fills blocks, and pays.
	fn free_if(useful: bool) -> PostDispatchInfo {
		if useful { Pays::No } else { Pays::Yes }.into()
	}
}
