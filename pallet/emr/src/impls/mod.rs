//! What the calls do, a file for each kind of thing.

mod access;
mod expiry;
mod moves;
mod parties;
mod queries;
mod records;
mod reports;
mod requests;
