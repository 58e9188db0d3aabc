//! Unit tests, a file for each kind of thing.

use frame_support::{assert_noop, assert_ok, dispatch::Pays};
use sp_runtime::DispatchError::BadOrigin;

use crate::{mock::*, *};

mod blocks;
mod config;
mod encoding;
mod errors;
mod expiry;
mod idle;
mod invariants;
mod model;
mod origins;
mod signatures;
