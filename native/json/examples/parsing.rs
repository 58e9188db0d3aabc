//! `speed PATH...`: how many megabytes a second are parsed.

use bumpalo::Bump;
use caregrid_json::{parse, Limits};
use std::time::Instant;

fn main() {
    let texts: Vec<Vec<u8>> = std::env::args().skip(1).filter_map(|path| std::fs::read(path).ok()).collect();
    let bytes: usize = texts.iter().map(Vec::len).sum();
    let mut arena = Bump::new();
    let begun = Instant::now();
    let mut rounds = 0;
    while begun.elapsed().as_secs() < 2 {
        for text in &texts {
            arena.reset();
            assert!(parse(text, &arena, Limits::default()).is_ok());
        }
        rounds += 1;
    }
    println!("{:.0} MB/s", (bytes * rounds) as f64 / begun.elapsed().as_secs_f64() / 1e6);
}
