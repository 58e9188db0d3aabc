//! HL7's definitions, loaded: shapes for instances, structures for profiles, codes for bindings.

mod build;
pub mod form;
mod shape;

pub use build::LoadError;
pub use shape::{Binding, ElementDef, InvariantId, Property, Shape, ShapeId, Sort, Strength, TypeUse};

use std::collections::{BTreeMap, HashMap};

/// Everything that one FHIR version defines.
pub struct Schema {
    /// `4.0.1`.
    pub version: String,
    /// Where it comes from.
    pub sources: Vec<form::Source>,
    /// Types of instances.
    pub shapes: Vec<Shape>,
    /// Datatypes and resources by name.
    pub by_name: HashMap<String, ShapeId>,
    /// Rules.
    pub invariants: Vec<form::Invariant>,
    /// Types, profiles and extensions by canonical url.
    pub structures: HashMap<String, form::Structure>,
    /// By canonical url.
    pub value_sets: BTreeMap<String, form::ValueSet>,
    /// By canonical url.
    pub code_systems: BTreeMap<String, form::CodeSystem>,
}

impl Schema {
    /// Load gzipped definitions.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if they are damaged, or of a form that this build does not know.
    pub fn load(packed: &[u8]) -> Result<Self, LoadError> {
        build::load(packed)
    }

    /// Add a user's profiles, value sets and code systems: definitions in the form's JSON, not packed. What has the
    /// url of something that is there takes its place.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if they are damaged, or of a form that this build does not know; nothing was added then.
    pub fn extend(&mut self, fragment: &str) -> Result<(), LoadError> {
        build::extend(self, fragment)
    }

    /// The shape at a place.
    pub fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id as usize]
    }

    /// The resource of that name, abstract ones excepted.
    pub fn resource(&self, name: &str) -> Option<ShapeId> {
        self.named(name).filter(|id| {
            let shape = self.shape(*id);
            shape.sort == Sort::Resource && !shape.is_abstract
        })
    }

    /// The datatype or resource of that name.
    pub fn named(&self, name: &str) -> Option<ShapeId> {
        self.by_name.get(name).copied()
    }

    /// Whether a type is another, or builds on it.
    pub fn is_a(&self, id: ShapeId, ancestor: ShapeId) -> bool {
        let mut at = Some(id);
        while let Some(one) = at {
            if one == ancestor {
                return true;
            }
            at = self.shape(one).base;
        }
        false
    }
}
