//! Rows of sums.

use caregrid_erasure::{combine, Mismatch};

/// Each row has an output of its own; zero shards, which are skipped, add nothing.
#[test]
fn rows_lie_one_after_another() {
    let (first, second) = ([1, 2, 0x80], [0, 0, 0]);
    let mut outputs = vec![0xee; 6];
    combine(&[vec![2, 9], vec![1, 1]], &[&first, &second], &mut outputs).unwrap();
    assert_eq!(vec![2, 4, 0x1d, 1, 2, 0x80], outputs);
}

/// Lengths that do not agree are refused.
#[test]
fn lengths_must_agree() {
    let mut outputs = vec![0; 3];
    assert_eq!(Err(Mismatch), combine(&[vec![1, 2]], &[b"abc"], &mut outputs));
    assert_eq!(Err(Mismatch), combine(&[vec![1]], &[b"abcd"], &mut outputs));
    assert_eq!(Err(Mismatch), combine(&[vec![1], vec![2]], &[b"abc"], &mut outputs));
    assert_eq!(Err(Mismatch), combine(&[vec![1, 1]], &[b"abc", b"ab"], &mut outputs));
}

/// Nothing to add up is nothing.
#[test]
fn nothing_gives_nothing() {
    assert_eq!(Ok(()), combine(&[], &[], &mut []));
    assert_eq!(Ok(()), combine(&[vec![1]], &[b""], &mut []));
}
