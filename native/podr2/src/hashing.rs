//! What is derived by SHA-256: keys from a seed, values from a key, streams from a challenge's seed.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Fault;

/// Length of every seed.
pub(crate) const SEED_LEN: usize = 32;

const SALT: &[u8] = b"caregrid/podr2/v1";
const STREAM: &[u8] = b"caregrid/podr2/v1/challenge";

/// The source of all secrets of a key.
pub(crate) struct Source(Hkdf<Sha256>);

impl Source {
    pub(crate) fn new(seed: &[u8]) -> Result<Self, Fault> {
        if seed.len() != SEED_LEN || seed.iter().all(|byte| *byte == 0) {
            return Err(Fault::Seed);
        }
        Ok(Self(Hkdf::new(Some(SALT), seed)))
    }

    /// The secret of a label and a number.
    pub(crate) fn secret<const N: usize>(&self, label: &[u8], number: u16) -> Zeroizing<[u8; N]> {
        let mut secret = Zeroizing::new([0; N]);
        self.0
            .expand_multi_info(&[label, &number.to_le_bytes()], secret.as_mut())
            .expect("no secret is longer than 255 digests, qed");
        secret
    }
}

/// HMAC-SHA256 over a name and an index.
#[derive(Clone)]
pub(crate) struct Prf(Hmac<Sha256>);

impl Prf {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length, qed"))
    }

    pub(crate) fn value(&self, name: &[u8; 32], index: u16) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(name);
        mac.update(&index.to_le_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// SHA-256 in counter mode.
pub(crate) struct Stream {
    start: Sha256,
    counter: u32,
    block: [u8; 32],
    used: usize,
}

impl Stream {
    pub(crate) fn new(seed: &[u8; SEED_LEN], count: u16) -> Self {
        let start = Sha256::new().chain_update(STREAM).chain_update(seed).chain_update(count.to_le_bytes());
        Self { start, counter: 0, block: [0; 32], used: 32 }
    }

    /// The next `N` bytes.
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        for byte in &mut taken {
            *byte = self.next_byte();
        }
        taken
    }

    fn next_byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            let hash = self.start.clone().chain_update(self.counter.to_le_bytes());
            self.block = hash.finalize().into();
            self.counter += 1;
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }
}
