//! BLS12-381 by blst, with no pointer left to the rest of the crate.
//!
//! Points are checked where they are read; arithmetic takes what it is given.

#![allow(unsafe_code)]

use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;

use blst::{
    blst_expand_message_xmd, blst_fp12, blst_hash_to_g1, blst_p1, blst_p1_add_or_double,
    blst_p1_add_or_double_affine, blst_p1_affine, blst_p1_affine_compress, blst_p1_affine_in_g1,
    blst_p1_affine_is_inf, blst_p1_cneg, blst_p1_compress, blst_p1_double, blst_p1_from_affine,
    blst_p1_generator, blst_p1_mult, blst_p1_to_affine, blst_p1_uncompress, blst_p1s_mult_pippenger,
    blst_p1s_mult_pippenger_scratch_sizeof, blst_p1s_mult_wbits, blst_p1s_mult_wbits_precompute,
    blst_p1s_to_affine, blst_p2, blst_p2_affine, blst_p2_affine_compress, blst_p2_affine_generator,
    blst_p2_affine_in_g2, blst_p2_affine_is_inf, blst_p2_generator, blst_p2_mult, blst_p2_to_affine,
    blst_p2_uncompress, blst_scalar, blst_scalar_fr_check, blst_scalar_from_le_bytes,
    blst_scalar_from_lendian, BLST_ERROR,
};

/// Length of a compressed point of G1.
pub(crate) const G1_LEN: usize = 48;
/// Length of a compressed point of G2.
pub(crate) const G2_LEN: usize = 96;
/// Length of a number modulo the group order.
pub(crate) const SCALAR_LEN: usize = 32;

const SCALAR_BITS: usize = 255;
const HASH_DST: &[u8] = b"caregrid/podr2/v1/BLS12381G1_XMD:SHA-256_SSWU_RO_";
const MESSAGE_LEN: usize = 34;
/// One more than the absolute value of the curve's parameter.
const INTO_GROUP: u64 = 0xd201_0000_0001_0001;
const WINDOW_POINTS: usize = 255;
/// Bits of a scalar taken at a time; more of them make the search for a multiple dearer than the addition.
const BASE_BITS: usize = 6;
const BASE_MULTIPLES: usize = 1 << (BASE_BITS - 1);

/// A number modulo the group order, 32 bytes, little-endian.
pub(crate) type Scalar = [u8; SCALAR_LEN];
/// A point that sums are made of.
pub(crate) type Affine = blst_p1_affine;
/// A point of the other group.
pub(crate) type Affine2 = blst_p2_affine;

/// Reduce a number of any length, little-endian, modulo the group order.
pub(crate) fn reduce(bytes: &[u8]) -> Scalar {
    let mut scalar = blst_scalar::default();
    // SAFETY: the pointers and the length belong to living values.
    unsafe { blst_scalar_from_le_bytes(&mut scalar, bytes.as_ptr(), bytes.len()) };
    scalar.b
}

/// Tell whether a number is below the group order.
pub(crate) fn is_canonical(scalar: &Scalar) -> bool {
    let mut read = blst_scalar::default();
    // SAFETY: `scalar` has the 32 bytes that are read.
    unsafe {
        blst_scalar_from_lendian(&mut read, scalar.as_ptr());
        blst_scalar_fr_check(&read)
    }
}

/// A point of G1 that sums are made in.
#[derive(Clone, Copy, Default)]
pub(crate) struct Point(blst_p1);

impl Point {
    /// Hash a name and an index to a point.
    pub(crate) fn hash(name: &[u8; 32], index: u16) -> Self {
        let message = message(name, index);
        let mut point = blst_p1::default();
        // SAFETY: pointers and lengths belong to living values; an empty augmentation may be null.
        unsafe {
            blst_hash_to_g1(
                &mut point,
                message.as_ptr(),
                message.len(),
                HASH_DST.as_ptr(),
                HASH_DST.len(),
                ptr::null(),
                0,
            );
        }
        Self(point)
    }

    /// The generator times a scalar. How long it takes depends on the machine's cache, hence on the scalar.
    pub(crate) fn generator_times(scalar: &Scalar) -> Self {
        Self::default().add_generator_times(scalar)
    }

    /// This and the generator times a scalar, as [`Self::generator_times`].
    pub(crate) fn add_generator_times(mut self, scalar: &Scalar) -> Self {
        let windows = generator_windows().chunks_exact(WINDOW_POINTS);
        for (digit, window) in scalar.iter().zip(windows) {
            if let Some(multiple) = usize::from(*digit).checked_sub(1) {
                self = self.add_affine(&window[multiple]);
            }
        }
        self
    }

    /// This times a secret scalar, in constant time.
    pub(crate) fn times(&self, secret: &Scalar) -> Self {
        let mut product = blst_p1::default();
        // SAFETY: `secret` has the 255 bits that are read.
        unsafe { blst_p1_mult(&mut product, &self.0, secret.as_ptr(), SCALAR_BITS) };
        Self(product)
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        let mut sum = blst_p1::default();
        // SAFETY: all are living values.
        unsafe { blst_p1_add_or_double(&mut sum, &self.0, &other.0) };
        Self(sum)
    }

    fn add_affine(&self, other: &Affine) -> Self {
        let mut sum = blst_p1::default();
        // SAFETY: all are living values.
        unsafe { blst_p1_add_or_double_affine(&mut sum, &self.0, other) };
        Self(sum)
    }

    fn doubled(&self) -> Self {
        let mut double = blst_p1::default();
        // SAFETY: both are living values.
        unsafe { blst_p1_double(&mut double, &self.0) };
        Self(double)
    }

    pub(crate) fn negated(mut self) -> Self {
        // SAFETY: the point is a living value.
        unsafe { blst_p1_cneg(&mut self.0, true) };
        self
    }

    /// Multiply a point of the curve by the number that RFC 9380 has for it, which leads into the group.
    pub(crate) fn into_group(self) -> Self {
        let mut product = blst_p1::default();
        // SAFETY: 64 bits are read. For so few the library makes no use of the group, in which the point is not.
        unsafe { blst_p1_mult(&mut product, &self.0, INTO_GROUP.to_le_bytes().as_ptr(), 64) };
        Self(product)
    }

    pub(crate) fn affine(&self) -> Affine {
        let mut affine = Affine::default();
        // SAFETY: both are living values.
        unsafe { blst_p1_to_affine(&mut affine, &self.0) };
        affine
    }

    pub(crate) fn compress(&self) -> [u8; G1_LEN] {
        let mut bytes = [0; G1_LEN];
        // SAFETY: 48 bytes are written.
        unsafe { blst_p1_compress(bytes.as_mut_ptr(), &self.0) };
        bytes
    }
}

impl From<&Affine> for Point {
    fn from(affine: &Affine) -> Self {
        let mut point = blst_p1::default();
        // SAFETY: both are living values.
        unsafe { blst_p1_from_affine(&mut point, affine) };
        Self(point)
    }
}

fn message(name: &[u8; 32], index: u16) -> [u8; MESSAGE_LEN] {
    let mut message = [0; MESSAGE_LEN];
    message[..32].copy_from_slice(name);
    message[32..].copy_from_slice(&index.to_le_bytes());
    message
}

/// The uniform bytes of which a name and an index are hashed to a point.
pub(crate) fn expand_hash(name: &[u8; 32], index: u16) -> [u8; 128] {
    let (message, mut uniform) = (message(name, index), [0; 128]);
    // SAFETY: pointers and lengths belong to living values.
    unsafe {
        blst_expand_message_xmd(
            uniform.as_mut_ptr(),
            uniform.len(),
            message.as_ptr(),
            message.len(),
            HASH_DST.as_ptr(),
            HASH_DST.len(),
        );
    }
    uniform
}

/// Make points fit for sums, all with one inversion.
pub(crate) fn to_affine(points: &[Point]) -> Vec<Affine> {
    let mut affine = vec![Affine::default(); points.len()];
    if points.is_empty() {
        return affine;
    }
    let points: Vec<*const blst_p1> = points.iter().map(|point| ptr::from_ref(&point.0)).collect();
    // SAFETY: there is a pointer to a living point for each, and room for as many.
    unsafe { blst_p1s_to_affine(affine.as_mut_ptr(), points.as_ptr(), points.len()) };
    affine
}

pub(crate) fn compress(point: &Affine) -> [u8; G1_LEN] {
    let mut bytes = [0; G1_LEN];
    // SAFETY: 48 bytes are written.
    unsafe { blst_p1_affine_compress(bytes.as_mut_ptr(), point) };
    bytes
}

/// Read a canonical point of the curve other than zero; it may lie outside the group.
pub(crate) fn read_on_curve(bytes: &[u8; G1_LEN]) -> Option<Affine> {
    let mut point = Affine::default();
    // SAFETY: 48 bytes are read.
    let read = unsafe { blst_p1_uncompress(&mut point, bytes.as_ptr()) };
    (read == BLST_ERROR::BLST_SUCCESS && !is_zero(&point)).then_some(point)
}

/// Read a canonical point of G1 other than zero.
pub(crate) fn read_point(bytes: &[u8; G1_LEN]) -> Option<Affine> {
    read_on_curve(bytes).filter(in_group)
}

/// Tell whether a point of the curve lies in G1.
pub(crate) fn in_group(point: &Affine) -> bool {
    // SAFETY: the point is a living value.
    unsafe { blst_p1_affine_in_g1(point) }
}

fn is_zero(point: &Affine) -> bool {
    // SAFETY: the point is a living value.
    unsafe { blst_p1_affine_is_inf(point) }
}

/// Read a canonical point of G2 other than zero.
pub(crate) fn read_point2(bytes: &[u8; G2_LEN]) -> Option<Affine2> {
    let mut point = Affine2::default();
    // SAFETY: 96 bytes are read, and the point is a living value.
    let good = unsafe {
        blst_p2_uncompress(&mut point, bytes.as_ptr()) == BLST_ERROR::BLST_SUCCESS
            && !blst_p2_affine_is_inf(&point)
            && blst_p2_affine_in_g2(&point)
    };
    good.then_some(point)
}

/// The generator of G2 times a secret scalar, compressed.
pub(crate) fn generator2_times(secret: &Scalar) -> [u8; G2_LEN] {
    let (mut product, mut affine) = (blst_p2::default(), Affine2::default());
    let mut bytes = [0; G2_LEN];
    // SAFETY: `secret` has the 255 bits that are read; 96 bytes are written.
    unsafe {
        blst_p2_mult(&mut product, blst_p2_generator(), secret.as_ptr(), SCALAR_BITS);
        blst_p2_to_affine(&mut affine, &product);
        blst_p2_affine_compress(bytes.as_mut_ptr(), &affine);
    }
    bytes
}

/// Points of which many sums are made.
pub(crate) struct Bases {
    /// The first [`BASE_MULTIPLES`] multiples of each point, one point after the other.
    multiples: Vec<Affine>,
}

impl Bases {
    pub(crate) fn new(points: &[Affine]) -> Self {
        let mut multiples = vec![Affine::default(); points.len() * BASE_MULTIPLES];
        if !points.is_empty() {
            let row = [points.as_ptr(), ptr::null()];
            // SAFETY: as many points as said lie in the row, and there is room for the multiples of each.
            unsafe {
                blst_p1s_mult_wbits_precompute(multiples.as_mut_ptr(), BASE_BITS, row.as_ptr(), points.len());
            }
        }
        Self { multiples }
    }

    pub(crate) fn len(&self) -> usize {
        self.multiples.len() / BASE_MULTIPLES
    }

    /// The sum of some points, each times its scalar.
    pub(crate) fn sum(&self, range: Range<usize>, scalars: &[Scalar]) -> Point {
        debug_assert_eq!(range.len(), scalars.len(), "a scalar for each point");
        let mut sum = blst_p1::default();
        if range.is_empty() {
            return Point(sum);
        }
        let multiples = &self.multiples[range.start * BASE_MULTIPLES..range.end * BASE_MULTIPLES];
        let row = [scalars.as_ptr().cast::<u8>(), ptr::null()];
        // SAFETY: the multiples of as many points as said, and as many scalars; without a scratch one is made.
        unsafe {
            blst_p1s_mult_wbits(
                &mut sum,
                multiples.as_ptr(),
                BASE_BITS,
                range.len(),
                row.as_ptr(),
                SCALAR_BITS,
                ptr::null_mut(),
            );
        }
        Point(sum)
    }
}

/// The sum of points, each times its scalar of `LEN` bytes, little-endian. Not in constant time.
pub(crate) fn sum<const LEN: usize>(points: &[Affine], scalars: &[[u8; LEN]]) -> Point {
    debug_assert_eq!(points.len(), scalars.len(), "a scalar for each point");
    let mut sum = blst_p1::default();
    if points.is_empty() {
        return Point(sum);
    }
    // A null second entry says that what follows lies in one row.
    let point_rows = [points.as_ptr(), ptr::null()];
    let scalar_rows = [scalars.as_ptr().cast::<u8>(), ptr::null()];
    // SAFETY: as many points and scalars as said lie in their rows, and the scratch has the size asked for.
    unsafe {
        let mut scratch = vec![0u64; blst_p1s_mult_pippenger_scratch_sizeof(points.len()).div_ceil(8)];
        blst_p1s_mult_pippenger(
            &mut sum,
            point_rows.as_ptr(),
            points.len(),
            scalar_rows.as_ptr(),
            (LEN * 8).min(SCALAR_BITS),
            scratch.as_mut_ptr(),
        );
    }
    Point(sum)
}

/// Tell whether the pairing of `signature` with G2's generator is the product of the pairings of the others.
pub(crate) fn pairings_agree(signature: Point, others: &[(Point, Affine2)]) -> bool {
    let mut left = vec![signature.negated().affine()];
    // SAFETY: the library's generator lives as long as the program.
    let mut right = vec![unsafe { *blst_p2_affine_generator() }];
    for (point, key) in others {
        left.push(point.affine());
        right.push(*key);
    }
    // A pairing with zero is one, which the library's loop does not know.
    let (left, right): (Vec<_>, Vec<_>) =
        left.into_iter().zip(right).filter(|(point, _)| !is_zero(point)).unzip();
    if left.is_empty() {
        return true;
    }
    blst_fp12::miller_loop_n(&right, &left).final_exp() == blst_fp12::default()
}

/// For each byte of a scalar the multiples of 1 to 255 of the generator times its place.
fn generator_windows() -> &'static [Affine] {
    static WINDOWS: OnceLock<Vec<Affine>> = OnceLock::new();
    WINDOWS.get_or_init(|| {
        // SAFETY: the library's generator lives as long as the program.
        let mut base = Point(unsafe { *blst_p1_generator() });
        let mut multiples = Vec::with_capacity(SCALAR_LEN * WINDOW_POINTS);
        for _ in 0..SCALAR_LEN {
            let mut multiple = base;
            for _ in 0..WINDOW_POINTS {
                multiples.push(multiple);
                multiple = multiple.add(&base);
            }
            base = (0..8).fold(base, |point, _| point.doubled());
        }
        to_affine(&multiples)
    })
}
