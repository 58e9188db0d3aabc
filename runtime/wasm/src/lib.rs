//! The runtime's WASM, compiled from this source and compressed.
//!
//! It is a crate of its own so that the runtime's unit tests need neither the WASM toolchain nor
//! Binaryen, and the WASM can be had without the node.

include!(concat!(env!("OUT_DIR"), "/", env!("CAREGRID_WASM")));
