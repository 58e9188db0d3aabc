//! # Threats pallet
//!
//! What organisations tell each other about attackers: networks to block, and signatures to look
//! for.
//!
//! An IP address is personal data, so every block expires; past its expiry it gives nothing on
//! read, cleaned up or not. Clean-up is permissionless and bounded, and returns the deposit to the
//! organisation that paid it.
//!
//! ## Example
#![doc = docify::embed!("src/tests/blocks.rs", an_expired_block_is_cleaned_up_by_anybody)]
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
	use frame_support::{
		dispatch::PostDispatchInfo,
		pallet_prelude::*,
		traits::{Consideration, EnsureOriginWithArg, Footprint},
	};
	use frame_system::pallet_prelude::*;

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

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

		/// Networks that expire in one block. A list is decoded whole on each change; where it
		/// is full the network is listed a little later.
		#[pallet::constant]
		type MaxExpiriesPerBlock: Get<u32>;

		/// Networks that one clean-up removes. Bounds the weight of one extrinsic.
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
	// Hasher: Identity on a big-endian number, so that iteration finds the earliest list first.
	// Bounded by `MaxExpiriesPerBlock`; each item is paid by the ticket of its network.
	#[pallet::storage]
	pub type Expiries<T: Config> = StorageMap<
		_,
		Identity,
		DueBlock,
		BoundedVec<(IpNet, T::AccountId), T::MaxExpiriesPerBlock>,
		ValueQuery,
	>;

	/// Attack signatures by id.
	// Hasher: Blake2, operators choose the ids. Paid by a hold of the organisation.
	#[pallet::storage]
	pub type Signatures<T: Config> = StorageMap<_, Blake2_128Concat, SignatureId, Signature<T>>;

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A network was blocked, or its block was renewed.
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
		/// An expired block was removed.
		IpBlockExpired {
			/// The network.
			net: IpNet,
			/// Who blocked it.
			organisation: T::AccountId,
		},
		/// An attack signature was registered.
		SignatureRegistered {
			/// Its id.
			signature: SignatureId,
			/// Who registered it.
			organisation: T::AccountId,
			/// How bad a match is.
			severity: Severity,
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
		/// Too many networks expire around that block; choose another.
		ExpiriesFull,
		/// A clean-up takes a limit of 1 to `MaxCleanup`.
		LimitInvalid,
		/// A signature has this id already; draw a new one.
		SignatureExists,
		/// A signature needs a text.
		PatternEmpty,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxCleanup::get() > 0, "`MaxCleanup` of zero would never clean up");
			assert!(T::MaxExpiriesPerBlock::get() > 0, "no network could be listed for clean-up");
			assert!(T::MaxPatternLen::get() > 0, "no signature would fit");
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
		/// Each organisation has its own entry for a network; blocking again replaces it.
		///
		/// ## Errors
		///
		/// - [`Error::NetworkInvalid`], [`Error::ExpiryInPast`], [`Error::ExpiryTooFar`],
		///   [`Error::ExpiriesFull`]
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

		/// Remove blocks that have expired, the earliest first.
		///
		/// ## Dispatch Origin
		///
		/// _Signed_ by anybody. Free of fee when at least 90 % of `limit` were due.
		///
		/// ## Details
		///
		/// `O(N)` in `limit`; what was not due is refunded.
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
			let mostly_due = removed.saturating_mul(10) >= limit.saturating_mul(9);
			Ok(PostDispatchInfo {
				actual_weight: Some(T::WeightInfo::cleanup_expired_blocks(removed)),
				pays_fee: if mostly_due { Pays::No } else { Pays::Yes },
			})
		}

		/// Register an attack signature.
		///
		/// ## Dispatch Origin
		///
		/// As [`Pallet::block_ip`].
		///
		/// ## Errors
		///
		/// - [`Error::SignatureExists`], [`Error::PatternEmpty`]
		///
		/// ## Events
		///
		/// [`Event::SignatureRegistered`]
		#[pallet::call_index(3)]
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
	}
}
