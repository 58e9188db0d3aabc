//! A fragment's blocks and their sectors.

use crate::Fault;

/// Blocks in a fragment.
pub const BLOCKS: usize = 1024;
/// Bytes in a block.
pub const BLOCK_LEN: usize = 8192;
/// Bytes in a fragment.
pub const FRAGMENT_LEN: usize = BLOCKS * BLOCK_LEN;

/// The bytes of one fragment.
#[derive(Clone, Copy)]
pub struct Fragment<'a>(&'a [u8]);

impl<'a> Fragment<'a> {
    /// Take the bytes of a fragment.
    ///
    /// # Errors
    ///
    /// [`Fault::FragmentSize`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        if bytes.len() == FRAGMENT_LEN {
            Ok(Self(bytes))
        } else {
            Err(Fault::FragmentSize)
        }
    }

    /// The block of an index below [`BLOCKS`].
    pub(crate) fn block(&self, index: usize) -> &'a [u8; BLOCK_LEN] {
        let start = index * BLOCK_LEN;
        self.0[start..start + BLOCK_LEN].try_into().expect("a block has its length, qed")
    }
}

/// How many sectors of so many bytes a block has; the last one may be shorter.
pub const fn sectors(sector_len: usize) -> usize {
    BLOCK_LEN.div_ceil(sector_len)
}
