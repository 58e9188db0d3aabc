//! Types for the node, which must not depend on what extrinsics look like inside: the runtime may
//! be upgraded under it.

// The macro below names it bare.
use alloc::vec::Vec;

use sp_runtime::{generic, impl_opaque_keys, traits::BlakeTwo256};

pub use sp_runtime::OpaqueExtrinsic as UncheckedExtrinsic;

use crate::{Aura, BlockNumber, Grandpa};

/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block of bytes.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;

impl_opaque_keys! {
	/// What a validator signs blocks and finality with.
	pub struct SessionKeys {
		pub aura: Aura,
		pub grandpa: Grandpa,
	}
}
