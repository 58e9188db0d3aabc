//! What the tests share.
#![allow(dead_code)]

use bumpalo::Bump;
use caregrid_json::{Json, Limits};
use caregrid_schema::Schema;
use std::path::PathBuf;

/// The definitions of a version: `4.0`, `4.3`, `5.0`.
pub fn schema(version: &str) -> Schema {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../sdk/caregrid/fhir/definitions");
    let packed =
        std::fs::read(folder.join(format!("fhir-{version}.json.gz"))).expect("definitions are there");
    Schema::load(&packed).expect("definitions are sound")
}

/// A document in an arena.
pub fn document<'a>(arena: &'a Bump, text: &'a str) -> &'a Json<'a> {
    arena.alloc(caregrid_json::parse(text.as_bytes(), arena, Limits::default()).expect("JSON"))
}
