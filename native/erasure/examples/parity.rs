//! How long the parity of one 32 MiB segment takes.
fn main() {
    let rows: Vec<Vec<u8>> =
        (0..8u8).map(|r| (0..4u8).map(|c| 27u8.wrapping_mul(r * 4 + c + 3)).collect()).collect();
    let data: Vec<Vec<u8>> =
        (0..4).map(|s| (0..8 << 20).map(|i: usize| (i * 31 + s) as u8).collect()).collect();
    let views: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut out = vec![0; 64 << 20];
    for _ in 0..5 {
        let begun = std::time::Instant::now();

        caregrid_erasure::combine(&rows, &views, &mut out).unwrap();
        println!("{:?}", begun.elapsed());
    }
}
