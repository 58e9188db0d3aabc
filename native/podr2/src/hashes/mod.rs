//! Sums of hashes to the curve, cheaper than their hashes.
//!
//! RFC 9380 maps a message to two points of an isogenous curve, adds them, maps the sum back, and multiplies it into the group.
//! The last step is linear: a sum needs it once, and a verifier wants nothing but sums. The inversions of all messages are
//! done together. What is left of a hash is its two square roots.

mod field;
mod numbers;

use field::{invert_all, Fp};
use numbers::{numbers, NON_SQUARE};

use crate::challenge::Pair;
use crate::curve::{self, Affine, Point};
use crate::Name;

/// The sum of the hashes of the blocks, each times its coefficient.
pub(crate) fn sum(name: &Name, pairs: &[Pair]) -> Point {
    let coefficients: Vec<_> = pairs.iter().map(|pair| pair.coefficient.to_le_bytes()).collect();
    match outside_group(name, pairs) {
        Some(points) => curve::sum(&points, &coefficients).into_group(),
        // A denominator was zero, which nobody has ever seen.
        None => {
            let hashes: Vec<_> = pairs.iter().map(|pair| Point::hash(name, pair.index)).collect();
            curve::sum(&curve::to_affine(&hashes), &coefficients)
        }
    }
}

/// The hashes but for the multiplication into the group.
fn outside_group(name: &Name, pairs: &[Pair]) -> Option<Vec<Affine>> {
    let uniform: Vec<Fp> = pairs.iter().flat_map(|pair| elements(name, pair.index)).collect();
    let mapped = map(&uniform)?;
    isogeny(&add_neighbours(&mapped)?)
}

fn elements(name: &Name, index: u16) -> [Fp; 2] {
    let uniform = curve::expand_hash(name, index);
    let (halves, _) = uniform.as_chunks();
    [Fp::reduce(&halves[0]), Fp::reduce(&halves[1])]
}

/// A point of the isogenous curve.
type Isogenous = (Fp, Fp);

/// The simplified map of Shallue, van de Woestijne and Ulas, section 6.6.2.
fn map(uniform: &[Fp]) -> Option<Vec<Isogenous>> {
    let (numbers, factor) = (numbers(), Fp::small(NON_SQUARE));
    let scaled: Vec<Fp> = uniform.iter().map(|u| factor * u.square()).collect();
    let sums: Vec<Fp> = scaled.iter().map(|scaled| scaled.square() + *scaled).collect();
    let inverses = invert_all(&sums.iter().map(|sum| *sum * numbers.a).collect::<Vec<_>>())?;
    let minus_b = Fp::default() - numbers.b;
    let points = uniform.iter().zip(&scaled).zip(sums.iter().zip(&inverses));
    Some(
        points
            .map(|((u, scaled), (sum, inverse))| {
                let x = minus_b * (*sum + Fp::small(1)) * *inverse;
                place(u, scaled, x)
            })
            .collect(),
    )
}

/// The point at `x` if there is one, else the one at `x * scaled`, of which the root then follows.
fn place(u: &Fp, scaled: &Fp, x: Fp) -> Isogenous {
    let numbers = numbers();
    let (x, y) = match ((x.square() + numbers.a) * x + numbers.b).root() {
        Ok(root) => (x, root),
        Err(root) => (x * *scaled, root * u.square() * *u * numbers.root),
    };
    if y.is_odd() == u.is_odd() {
        (x, y)
    } else {
        (x, Fp::default() - y)
    }
}

fn add_neighbours(points: &[Isogenous]) -> Option<Vec<Isogenous>> {
    let (pairs, _) = points.as_chunks::<2>();
    let inverses = invert_all(&pairs.iter().map(|[left, right]| right.0 - left.0).collect::<Vec<_>>())?;
    Some(
        pairs
            .iter()
            .zip(inverses)
            .map(|([left, right], inverse)| {
                let slope = (right.1 - left.1) * inverse;
                let x = slope.square() - left.0 - right.0;
                (x, slope * (left.0 - x) - left.1)
            })
            .collect(),
    )
}

fn isogeny(points: &[Isogenous]) -> Option<Vec<Affine>> {
    let numbers = numbers();
    let below: Vec<(Fp, Fp)> = points
        .iter()
        .map(|(x, _)| (value(&numbers.x_denominator, x), value(&numbers.y_denominator, x)))
        .collect();
    let inverses = invert_all(&below.iter().map(|(x, y)| *x * *y).collect::<Vec<_>>())?;
    Some(
        points
            .iter()
            .zip(below.iter().zip(&inverses))
            .map(|((x, y), ((x_below, y_below), inverse))| Affine {
                x: (value(&numbers.x_numerator, x) * *y_below * *inverse).0,
                y: (value(&numbers.y_numerator, x) * *x_below * *inverse * *y).0,
            })
            .collect(),
    )
}

fn value(polynomial: &[Fp], x: &Fp) -> Fp {
    polynomial.iter().rev().fold(Fp::default(), |sum, coefficient| sum * *x + *coefficient)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn points_are_the_hashes(name in any::<Name>(), start in 0..1000u16) {
            let pairs: Vec<_> = (start..start + 8).map(|index| Pair { index, coefficient: 1 }).collect();
            let points = outside_group(&name, &pairs).unwrap();
            for (pair, point) in pairs.iter().zip(&points) {
                let hash = Point::hash(&name, pair.index).compress();
                prop_assert_eq!(hash, Point::from(point).into_group().compress());
            }
        }

        #[test]
        fn sums_are_those_of_hashes(name in any::<Name>(), coefficient in 1..1u128 << 127, count in 1..70u16) {
            let pairs: Vec<_> = (0..count)
                .map(|index| Pair { index: index * 13, coefficient: (coefficient >> (index % 100)) | 1 })
                .collect();
            let expected = pairs.iter().fold(Point::default(), |total, pair| {
                let mut scalar = [0; 32];
                scalar[..16].copy_from_slice(&pair.coefficient.to_le_bytes());
                total.add(&Point::hash(&name, pair.index).times(&scalar))
            });
            prop_assert_eq!(expected.compress(), sum(&name, &pairs).compress());
        }
    }

    #[test]
    fn zero_has_no_inverse() {
        assert!(invert_all(&[Fp::small(2), Fp::default()]).is_none());
        assert!(map(&[Fp::default()]).is_none());
    }
}
