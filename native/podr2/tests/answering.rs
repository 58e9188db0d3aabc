//! Both schemes from key to verdict; what cannot be forged is tried from Python, where a slow implementation stands by.

use caregrid_podr2::fragment::FRAGMENT_LEN;
use caregrid_podr2::public::{Claim, Proof, PublicKey};
use caregrid_podr2::{private, public, Challenge, Fragment, Name};

const SEED: [u8; 32] = [5; 32];
const NAME: Name = [6; 32];

fn content() -> Vec<u8> {
    (0..FRAGMENT_LEN as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn public_answers() {
    let (content, key) = (content(), public::SecretKey::new(&SEED).unwrap());
    let fragment = Fragment::new(&content).unwrap();
    let tags = key.tag(fragment, &NAME, 2);
    assert_eq!(public::TAGS_LEN, tags.len());
    let verifier = PublicKey::decode(&key.public_key()).unwrap();
    let challenge = Challenge::derive(&[1; 32], 20).unwrap();
    let encoded = public::prove(fragment, &tags, &challenge, 2).unwrap();
    assert_eq!(public::PROOF_LEN, encoded.len());
    let proof = Proof::decode(&encoded).unwrap();
    assert!(verifier.verify(&NAME, &challenge, &proof, 2));
    assert!(!verifier.verify(&[7; 32], &challenge, &proof, 2));
    assert!(!verifier.verify(&NAME, &Challenge::derive(&[2; 32], 20).unwrap(), &proof, 2));
    let right = Claim { key: &verifier, name: &NAME, challenge: &challenge, proof: &proof };
    let wrong = Claim { name: &[7; 32], ..right };
    assert_eq!(Ok(true), public::verify_batch(&[right; 5], 2));
    assert_eq!(Ok(false), public::verify_batch(&[right, wrong], 2));
    assert_eq!(Ok(true), verifier.accepts_tags(fragment, &NAME, &tags, 2));
    assert_eq!(Ok(false), verifier.accepts_tags(fragment, &[7; 32], &tags, 2));
}

#[test]
fn private_answers() {
    let (content, key) = (content(), private::SecretKey::new(&SEED).unwrap());
    let fragment = Fragment::new(&content).unwrap();
    let tags = key.tag(fragment, &NAME, 2);
    assert_eq!(private::TAGS_LEN, tags.len());
    for count in [1, 15, 16, 17, 300, 1024] {
        let challenge = Challenge::derive(&[1; 32], count).unwrap();
        let encoded = private::prove(fragment, &tags, &challenge, 2).unwrap();
        assert_eq!(private::PROOF_LEN, encoded.len());
        let proof = private::Proof::decode(&encoded).unwrap();
        assert!(key.verify(&NAME, &challenge, &proof));
        assert!(!key.verify(&[7; 32], &challenge, &proof));
        assert!(!key.verify(&NAME, &Challenge::derive(&[2; 32], count).unwrap(), &proof));
    }
}
