//! Work on a few threads of the caller's choice.

use std::ops::Range;
use std::thread;

/// More threads than this are never started, whatever a caller asks for.
const MOST: usize = 64;

/// Cut `0..count` into one range for each thread, run the work on each, and return the results in order.
pub(crate) fn spread<R: Send>(
    threads: usize,
    count: usize,
    work: impl Fn(Range<usize>) -> R + Sync,
) -> Vec<R> {
    let ranges = cut(threads.clamp(1, MOST).min(count), count);
    let Some((first, others)) = ranges.split_first() else { return Vec::new() };
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = others.iter().cloned().map(|range| scope.spawn(move || work(range))).collect();
        let mut results = vec![work(first.clone())];
        results.extend(others.into_iter().map(|other| other.join().expect("the work does not panic, qed")));
        results
    })
}

fn cut(parts: usize, count: usize) -> Vec<Range<usize>> {
    (0..parts).map(|part| part * count / parts..(part + 1) * count / parts).collect()
}
