//! What the calls do, a file for each kind of thing.

mod access;
mod parties;
mod records;
