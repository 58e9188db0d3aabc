//! Types as instances meet them: which JSON names there are, and what each of them holds.

use caregrid_values::Primitive;
use std::collections::HashMap;

/// Place of a shape in its schema.
pub type ShapeId = u32;

/// Place of an invariant in its schema.
pub type InvariantId = u32;

/// A resource, a datatype, or one of the nameless types inside them (`Observation.component`).
#[derive(Debug)]
pub struct Shape {
    /// `Observation`, `HumanName`, `Observation.component`.
    pub name: String,
    /// FHIR type, as FHIRPath's `is` knows it: `Observation`, `HumanName`, `BackboneElement`.
    pub type_name: String,
    /// What sort of type.
    pub sort: Sort,
    /// No instance is exactly this.
    pub is_abstract: bool,
    /// What it builds on.
    pub base: Option<ShapeId>,
    /// Elements in the order of the definition.
    pub elements: Vec<ElementDef>,
    /// By JSON name without underscore: `status`, `valueQuantity`.
    pub properties: HashMap<String, Property>,
    /// Rules on the whole (those on the root of the type, and of what it builds on).
    pub invariants: Vec<InvariantId>,
}

/// What sort of type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It has a `resourceType`.
    Resource,
    /// An object with elements.
    Complex,
    /// A value with an optional shadow (`_name`).
    Primitive(Primitive),
}

/// What a JSON name stands for.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Place in [`Shape::elements`].
    pub element: u16,
    /// The value's type. `Resource` where any resource may stand: its own `resourceType` says which.
    pub shape: ShapeId,
    /// Place in [`ElementDef::types`]; 0 for content references.
    pub choice: u16,
}

/// An element of a type.
#[derive(Debug)]
pub struct ElementDef {
    /// Without `[x]`: `value`.
    pub name: String,
    /// `Observation.value[x]`.
    pub path: String,
    /// Fewest.
    pub min: u32,
    /// Most; `None` without limit. Above 1, JSON writes an array.
    pub max: Option<u32>,
    /// It was written `[x]`.
    pub choice: bool,
    /// What it may hold, content references resolved.
    pub types: Vec<TypeUse>,
    /// Which codes.
    pub binding: Option<Binding>,
    /// Rules that this element adds to those of its type.
    pub invariants: Vec<InvariantId>,
    /// It may change the meaning of what it stands in.
    pub modifier: bool,
    /// Characters.
    pub max_length: Option<u32>,
}

impl ElementDef {
    /// JSON writes an array.
    pub fn is_list(&self) -> bool {
        self.max != Some(1) && self.max != Some(0)
    }
}

/// A type as an element uses it.
#[derive(Debug)]
pub struct TypeUse {
    /// The type.
    pub shape: ShapeId,
    /// Profiles of which the value follows one.
    pub profiles: Vec<String>,
    /// Profiles of which what it refers to follows one.
    pub targets: Vec<String>,
}

/// How binding a value set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Strength {
    Required,
    Extensible,
    Preferred,
    Example,
}

/// Which codes an element may have.
#[derive(Clone, Debug)]
pub struct Binding {
    /// How binding.
    pub strength: Strength,
    /// Canonical url, without version.
    pub value_set: Option<String>,
    /// Beyond it nothing is allowed.
    pub max: Option<String>,
}
