//! What the owner computes for a fragment.

use std::ops::Range;

use super::{SecretKey, SECTOR_LEN, TAGS_KIND, TAGS_LEN};
use crate::curve::{self, Point, Scalar};
use crate::fragment::{BLOCKS, BLOCK_LEN};
use crate::wide::{self, Sum};
use crate::workers::spread;
use crate::{Fragment, Name};

impl SecretKey {
    /// Return the tags of a fragment, encoded: kind, and a compressed point for each block.
    pub fn tag(&self, fragment: Fragment<'_>, name: &Name, threads: usize) -> Vec<u8> {
        let mut tags = Vec::with_capacity(TAGS_LEN);
        tags.push(TAGS_KIND);
        for part in spread(threads, BLOCKS, |blocks| self.tag_blocks(fragment, name, blocks)) {
            tags.extend(part);
        }
        tags
    }

    fn tag_blocks(&self, fragment: Fragment<'_>, name: &Name, blocks: Range<usize>) -> Vec<u8> {
        let points: Vec<_> = blocks.map(|index| self.tag_block(fragment, name, index)).collect();
        curve::to_affine(&points).iter().flat_map(curve::compress).collect()
    }

    fn tag_block(&self, fragment: Fragment<'_>, name: &Name, index: usize) -> Point {
        let exponent = self.exponent(fragment.block(index));
        Point::hash(name, index as u16).add_generator_times(&exponent).times(&self.x)
    }

    fn exponent(&self, block: &[u8; BLOCK_LEN]) -> Scalar {
        let mut sum = Sum::<8>::ZERO;
        for (exponent, sector) in self.exponents.iter().zip(block.chunks(SECTOR_LEN)) {
            sum.add_product(exponent, &wide::read(sector));
        }
        curve::reduce(&sum.bytes())
    }
}
