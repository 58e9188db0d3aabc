//! What the calls do, a file for each kind of thing.

mod blocks;
mod expiry;
mod signatures;
