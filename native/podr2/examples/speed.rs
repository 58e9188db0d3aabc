//! Prints how fast the schemes are here: `cargo run --release --example speed`.

use std::time::{Duration, Instant};

use caregrid_podr2::fragment::FRAGMENT_LEN;
use caregrid_podr2::{private, public, Challenge, Fragment};

/// Print the shortest of so many runs.
fn timed<R>(what: &str, times: u32, mut work: impl FnMut() -> R) -> R {
    let mut best = Duration::MAX;
    for _ in 1..times {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed());
    }
    println!("{what}: {best:?}");
    work()
}

fn main() {
    let bytes: Vec<u8> =
        (0..FRAGMENT_LEN as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let fragment = Fragment::new(&bytes).unwrap();
    let (name, seed) = ([7; 32], [9; 32]);
    let challenge = Challenge::derive(&[1; 32], 300).unwrap();
    let secret = timed("public key of seed", 3, || public::SecretKey::new(&seed).unwrap());
    let encoded = timed("public key encode", 3, || secret.public_key());
    let key = timed("public key decode", 3, || public::PublicKey::decode(&encoded).unwrap());
    for threads in [1, 2] {
        println!("threads {threads}");
        let tags = timed("public tag", 5, || secret.tag(fragment, &name, threads));
        let proof =
            timed("public prove", 20, || public::prove(fragment, &tags, &challenge, threads).unwrap());
        let read = timed("public decode", 20, || public::Proof::decode(&proof).unwrap());
        assert!(timed("public verify", 20, || key.verify(&name, &challenge, &read, threads)));
        assert!(timed("accepts", 3, || key.accepts_tags(fragment, &name, &tags, threads).unwrap()));
        let claim = public::Claim { key: &key, name: &name, challenge: &challenge, proof: &read };
        assert!(timed("public batch of 100", 2, || public::verify_batch(&[claim; 100], threads).unwrap()));
        let secret = private::SecretKey::new(&seed).unwrap();
        let tags = timed("private tag", 100, || secret.tag(fragment, &name, threads));
        let proof =
            timed("private prove", 100, || private::prove(fragment, &tags, &challenge, threads).unwrap());
        let read = private::Proof::decode(&proof).unwrap();
        assert!(timed("private verify", 100, || secret.verify(&name, &challenge, &read)));
    }
}
