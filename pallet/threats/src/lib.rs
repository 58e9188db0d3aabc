//! # Threats pallet
//!
//! What organisations tell each other about attackers: networks to block, and signatures to look
//! for.
//!
//! An IP address is personal data, so every block expires; past its expiry it gives nothing on
//! read, cleaned up or not. What has expired is removed by whatever weight a block leaves over,
//! and by anybody who calls for it; both are bounded, and return the deposit to the organisation
//! that paid it. A signature names nobody and stands until its organisation retires it.
//!
//! ## Example
#![doc = docify::embed!("src/tests/expiry.rs", an_expired_block_is_cleaned_up_by_anybody)]
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]

#[cfg(feature = "runtime-benchmarks")]
extern crate alloc;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
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
	use caregrid_expiry::{DueBlock, mostly_due};
	use frame_support::{
		dispatch::{DispatchClass, PostDispatchInfo},
		pallet_prelude::*,
		traits::{Consideration, EnsureOriginWithArg, Footprint},
	};
	use frame_system::pallet_prelude::*;

	pub(crate) const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// Who may act for the organisation given as argument.
		type OperatorOrigin: EnsureOriginWithArg<Self::RuntimeOrigin, Self::AccountId>;

		/// Deposit for a blocked network.
		type BlockConsideration: Consideration<Self::AccountId, Footprint>;

		/// Deposit for an attack signature.
		type SignatureConsideration: Consideration<Self::AccountId, Footprint>;

		/// How far ahead a block may expire, in blocks. An address changes hands; nobody is
		/// blocked for ever.
		#[pallet::constant]
		type MaxBlockDuration: Get<BlockNumberFor<Self>>;

		/// Networks that one clean-up removes. Bounds the weight of one extrinsic, and what a
		/// block does when idle.
		#[pallet::constant]
		type MaxCleanup: Get<u32>;

		/// Bytes of a signature's text.
		#[pallet::constant]
		type MaxPatternLen: Get<u32>;

		/// What calls cost.
		type WeightInfo: WeightInfo;
	}

	/// Why an account's balance is held by this pallet.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// For a blocked network.
		IpBlock,
		/// For an attack signature.
		Signature,
	}

	/// Blocked networks, by network and by who blocked it; expired ones included until clean-up.
	// Hasher: Blake2, operators choose both keys. Paid by a hold of the organisation.
	#[pallet::storage]
	pub type Blocks<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, IpNet, Blake2_128Concat, T::AccountId, IpBlock<T>>;

	/// Which networks are due for clean-up at which block.
	// Hasher: Identity on a big-endian number, so that iteration finds the earliest first. One
	// entry for each of `Blocks`, paid by the same ticket.
	#[pallet::storage]
	pub type Expiries<T: Config> = StorageDoubleMap<
		_,
		Identity,
		DueBlock,
		Blake2_128Concat,
		(IpNet, T::AccountId),
		(),
		OptionQuery,
	>;

	/// What a clean-up removed last from [`Expiries`], which is empty up to there.
	// Until a block is finished, the database still holds the keys that the block deleted, and
	// iteration steps over each of them. So a clean-up begins behind this key. Nothing is missed:
	// a new entry expires in the future, and sorts behind it. A single value, with no payer.
	#[pallet::storage]
	pub type ExpiryCursor<T: Config> = StorageValue<_, ExpiryKey<T>>;

	/// In which block a clean-up last found nothing more to remove.
	// Nothing becomes due later in a block, so that its further clean-ups need not look. Looking
	// would step over every key that the block deleted by unblocking. A single value, too.
	#[pallet::storage]
	pub type DrainedAt<T: Config> = StorageValue<_, BlockNumberFor<T>>;

	/// Attack signatures by id.
	// Hasher: Blake2, operators choose the ids. Paid by a hold of the organisation.
	#[pallet::storage]
	pub type Signatures<T: Config> = StorageMap<_, Blake2_128Concat, SignatureId, Signature<T>>;

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A network was blocked, or its block was replaced.
		IpBlocked {
			/// The network.
			net: IpNet,
			/// Who blocks it.
			organisation: T::AccountId,
			/// Why.
			reason: BlockReason,
			/// Until this block, exclusively.
			expires_at: BlockNumberFor<T>,
		},
		/// A block was withdrawn.
		IpUnblocked {
			/// The network.
			net: IpNet,
			/// Who blocked it.
			organisation: T::AccountId,
			/// Until when it would have lasted.
			expires_at: BlockNumberFor<T>,
		},
		/// An expired block was removed.
		IpBlockExpired {
			/// The network.
			net: IpNet,
			/// Who blocked it.
			organisation: T::AccountId,
			/// Until when it lasted.
			expires_at: BlockNumberFor<T>,
		},
		/// An attack signature was registered.
		SignatureRegistered {
			/// Its id.
			signature: SignatureId,
			/// Who registered it.
			organisation: T::AccountId,
			/// The language of its text.
			format: SignatureFormat,
			/// How bad a match is.
			severity: Severity,
		},
		/// An attack signature was withdrawn.
		SignatureRetired {
			/// Its id.
			signature: SignatureId,
			/// Who had registered it.
			organisation: T::AccountId,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The prefix length does not fit, or bits behind the prefix are set; clear them.
		NetworkInvalid,
		/// The block would expire at once; choose a later block.
		ExpiryInPast,
		/// The block would last too long; choose a block within `MaxBlockDuration`.
		ExpiryTooFar,
		/// The organisation does not block this network; it may have been cleaned up already.
		BlockUnknown,
		/// A clean-up takes a limit of 1 to `MaxCleanup`.
		LimitInvalid,
		/// A signature has this id already; draw a new one.
		SignatureExists,
		/// A signature needs a text.
		PatternEmpty,
		/// No signature has this id; it may have been retired already.
		SignatureUnknown,
		/// Another organisation registered the signature; only that one may retire it.
		SignatureForeign,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			Self::do_idle(remaining)
		}

		fn integrity_test() {
			assert!(
				T::MaxBlockDuration::get() > Default::default(),
				"`MaxBlockDuration` of zero would refuse every block"
			);
			assert!(T::MaxCleanup::get() > 0, "`MaxCleanup` of zero would never clean up");
			assert!(T::MaxPatternLen::get() > 0, "no signature would fit");
			let signed = T::BlockWeights::get().get(DispatchClass::Normal).max_extrinsic;
			let cleanup = T::WeightInfo::cleanup_expired_blocks(T::MaxCleanup::get());
			assert!(
				signed.is_none_or(|most| cleanup.all_lte(most)),
				"a clean-up of `MaxCleanup` would not fit into a block"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Block a network until a block.
		///
		/// ## Dispatch Origin
		///
		/// [`Config::OperatorOrigin`] for `organisation`, which pays the deposit; no fee is due
		/// on success.
		///
		/// ## Details
		///
		/// Each organisation has its own entry for a network. Blocking again replaces it, for a
		/// longer or a shorter time, under the same deposit.
		///
		/// ## Errors
		///
		/// - [`Error::NetworkInvalid`], [`Error::ExpiryInPast`], [`Error::ExpiryTooFar`]
		///
		/// ## Events
		///
		/// [`Event::IpBlocked`]
		#[pallet::call_index(0)]
		pub fn block_ip(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			net: IpNet,
			reason: BlockReason,
			expires_at: BlockNumberFor<T>,
		) -> DispatchResultWithPostInfo {
			T::OperatorOrigin::ensure_origin(origin, &organisation)?;
			Self::do_block_ip(organisation, net, reason, expires_at)?;
			Ok(Pays::No.into())
		}

		/// Block a network no more.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::block_ip`]. The organisation gets its deposit back.
		///
		/// ## Details
		///
		/// Only the organisation's own entry goes; another one's still blocks. An expired entry
		/// can be withdrawn as well, while it is not cleaned up.
		///
		/// ## Errors
		///
		/// - [`Error::BlockUnknown`]
		///
		/// ## Events
		///
		/// [`Event::IpUnblocked`]
		#[pallet::call_index(1)]
		pub fn unblock_ip(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			net: IpNet,
		) -> DispatchResultWithPostInfo {
			T::OperatorOrigin::ensure_origin(origin, &organisation)?;
			Self::do_unblock_ip(organisation, net)?;
			Ok(Pays::No.into())
		}

		/// Remove blocks that have expired, the earliest first.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by anybody. Free of fee when at least 90 % of `limit` were due.
		///
		/// ## Details
		///
		/// `O(N)` in `limit`; the weight of what was not due is refunded. The deposits go back to
		/// the organisations that paid them.
		///
		/// ## Errors
		///
		/// - [`Error::LimitInvalid`]
		///
		/// ## Events
		///
		/// [`Event::IpBlockExpired`] for each.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::cleanup_expired_blocks(*limit))]
		pub fn cleanup_expired_blocks(
			origin: OriginFor<T>,
			limit: u32,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let removed = Self::do_cleanup(limit)?;
			// To find that nothing more is due is charged as one more.
			let looked = removed.saturating_add(1).min(limit);
			Ok(PostDispatchInfo {
				actual_weight: Some(T::WeightInfo::cleanup_expired_blocks(looked)),
				pays_fee: if mostly_due(removed, limit) { Pays::No } else { Pays::Yes },
			})
		}

		/// Register an attack signature.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::block_ip`].
		///
		/// ## Details
		///
		/// `O(L)` in the bytes of `pattern`, which the deposit grows with.
		///
		/// ## Errors
		///
		/// - [`Error::SignatureExists`], [`Error::PatternEmpty`]
		///
		/// ## Events
		///
		/// [`Event::SignatureRegistered`]
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::register_signature(pattern.len() as u32))]
		pub fn register_signature(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			id: SignatureId,
			format: SignatureFormat,
			severity: Severity,
			pattern: Pattern<T>,
		) -> DispatchResultWithPostInfo {
			T::OperatorOrigin::ensure_origin(origin, &organisation)?;
			Self::do_register_signature(organisation, id, format, severity, pattern)?;
			Ok(Pays::No.into())
		}

		/// Withdraw an attack signature.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::block_ip`], for the organisation that registered the signature. It gets
		/// its deposit back.
		///
		/// ## Errors
		///
		/// - [`Error::SignatureUnknown`], [`Error::SignatureForeign`]
		///
		/// ## Events
		///
		/// [`Event::SignatureRetired`]
		#[pallet::call_index(4)]
		pub fn retire_signature(
			origin: OriginFor<T>,
			organisation: T::AccountId,
			id: SignatureId,
		) -> DispatchResultWithPostInfo {
			T::OperatorOrigin::ensure_origin(origin, &organisation)?;
			Self::do_retire_signature(organisation, id)?;
			Ok(Pays::No.into())
		}
	}
}
