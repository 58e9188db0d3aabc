//! Readers of foreign bytes refuse what is none, and never panic.

use caregrid_podr2::challenge::Pair;
use caregrid_podr2::fragment::{BLOCKS, FRAGMENT_LEN};
use caregrid_podr2::{name, private, public, Challenge, Fault, Fragment};
use proptest::prelude::*;

/// Bytes of any length up to a little more than a proof, with kinds that occur.
fn foreign() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop::sample::select(vec![0x04u8, 0x11, 0x12, 0x13, 0x22, 0x23, 0x00, 0xff]);
    let length = prop_oneof![
        0..100usize,
        Just(public::PROOF_LEN - 1),
        Just(private::PROOF_LEN - 1),
        Just(public::PUBLIC_KEY_LEN - 1),
        Just(private::TAGS_LEN - 1)
    ];
    let filler = prop_oneof![Just(0u8), Just(0xff), any::<u8>()];
    (kind, length, filler, prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40))
        .prop_map(|(kind, length, filler, edits)| {
            let mut bytes = vec![filler; length];
            for (place, value) in edits {
                if !bytes.is_empty() {
                    let place = place.index(bytes.len());
                    bytes[place] = value;
                }
            }
            bytes.insert(0, kind);
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn foreign_bytes_are_read_or_refused(bytes in foreign()) {
        let key = public::PublicKey::decode(&bytes);
        prop_assert!(key.is_err());
        prop_assert_eq!(public::Proof::decode(&bytes).err().is_some(), true);
        if let Err(fault) = private::Proof::decode(&bytes) {
            prop_assert_eq!(Fault::Proof, fault);
        }
        if let Ok(challenge) = Challenge::decode(&bytes) {
            prop_assert_eq!(bytes, challenge.encode());
        }
    }

    #[test]
    fn challenges_are_read_as_written(seed in any::<[u8; 32]>(), count in 1..=BLOCKS as u16) {
        let challenge = Challenge::derive(&seed, count).unwrap();
        prop_assert_eq!(usize::from(count), challenge.pairs().len());
        prop_assert_eq!(Ok(challenge.clone()), Challenge::new(challenge.pairs().to_vec()));
        prop_assert_eq!(Ok(challenge.clone()), Challenge::decode(&challenge.encode()));
    }

    #[test]
    fn pairs_out_of_range_are_refused(index in 1024..u16::MAX, coefficient in (1u128 << 127) - 1..u128::MAX) {
        prop_assert_eq!(Err(Fault::Challenge), Challenge::new(vec![Pair { index, coefficient: 1 }]));
        prop_assert_eq!(Err(Fault::Challenge), Challenge::new(vec![Pair { index: 0, coefficient }]));
    }
}

#[test]
fn counts_out_of_range_are_refused() {
    assert_eq!(Err(Fault::Challenge), Challenge::derive(&[0; 32], 0));
    assert_eq!(Err(Fault::Challenge), Challenge::derive(&[0; 32], 1025));
    assert_eq!(Err(Fault::Challenge), Challenge::new(Vec::new()));
}

#[test]
fn lengths_are_checked() {
    assert!(matches!(Fragment::new(&[0; 10]), Err(Fault::FragmentSize)));
    assert_eq!(Err(Fault::NameSize), name(&[0; 31]));
    for seed in [&[0u8; 32][..], &[1; 31], &[1; 33], &[]] {
        assert!(matches!(public::SecretKey::new(seed), Err(Fault::Seed)));
        assert!(matches!(private::SecretKey::new(seed), Err(Fault::Seed)));
    }
    let content = vec![0; FRAGMENT_LEN];
    let (fragment, challenge) = (Fragment::new(&content).unwrap(), Challenge::derive(&[0; 32], 3).unwrap());
    for tags in [&[][..], &[0x12], &[0x22], &[0x12; public::TAGS_LEN - 1], &[0x22; private::TAGS_LEN + 1]] {
        assert_eq!(Err(Fault::Tags), public::prove(fragment, tags, &challenge, 2));
        assert_eq!(Err(Fault::Tags), private::prove(fragment, tags, &challenge, 2));
    }
    assert!(matches!(public::verify_batch(&[], 1), Err(Fault::Batch)));
}
