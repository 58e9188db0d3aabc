//! What an evaluation may know besides the element it starts from.

use crate::element::Element;
use crate::trouble::Trouble;
use bumpalo::Bump;
use caregrid_schema::Schema;
use std::cell::Cell;

/// What `resolve()` found.
#[derive(Clone, Copy, Debug)]
pub enum Resolved<'a> {
    /// This resource.
    Found(Element<'a>),
    /// There surely is none, as for `#x` without such a contained resource.
    Nowhere,
    /// It may exist elsewhere.
    Unknown,
}

/// Finds what references refer to.
pub trait Resolver<'a> {
    /// The resource that a reference, written in the element `from`, refers to.
    fn resolve(&self, reference: &str, from: &Element<'a>) -> Resolved<'a>;
}

/// Knows value sets.
pub trait Terminology {
    /// Whether a code, Coding or CodeableConcept belongs to a value set; `None` if it cannot be told.
    fn member_of(&self, element: &Element, value_set: &str) -> Option<bool>;
}

/// Knows profiles.
pub trait Profiles {
    /// Whether an element follows a profile; `None` if it cannot be told.
    fn conforms_to(&self, element: &Element, profile: &str) -> Option<bool>;
}

/// Elements that one evaluation may visit. dom-3 of a Bundle of some thousand resources stays below it.
const MOST: u32 = 20_000_000;

/// What an evaluation may know. Make one for each resource; it is cheap.
pub struct Context<'a, 'c> {
    /// The definitions that the expression was compiled with.
    pub schema: &'a Schema,
    /// Where texts that expressions put together live.
    pub arena: &'a Bump,
    /// `%resource`: the nearest resource around the element, contained ones too.
    pub resource: Element<'a>,
    /// `%rootResource`: the resource that contains that one, or else itself.
    pub root_resource: Element<'a>,
    /// For `resolve()`; without it only `#id` is resolved, among the root resource's contained ones.
    pub resolver: Option<&'c dyn Resolver<'a>>,
    /// For `memberOf()`.
    pub terminology: Option<&'c dyn Terminology>,
    /// For `conformsTo()`.
    pub profiles: Option<&'c dyn Profiles>,
    left: Cell<u32>,
}

impl<'a, 'c> Context<'a, 'c> {
    /// For the elements of a resource that stands for itself.
    pub fn new(schema: &'a Schema, arena: &'a Bump, resource: Element<'a>) -> Self {
        Self {
            schema,
            arena,
            resource,
            root_resource: resource,
            resolver: None,
            terminology: None,
            profiles: None,
            left: Cell::new(MOST),
        }
    }

    /// The same for a resource contained in, or an entry of, this one.
    pub fn within(&self, resource: Element<'a>, root_resource: Element<'a>) -> Self {
        Self { resource, root_resource, left: Cell::new(MOST), ..*self }
    }

    pub(crate) fn begin(&self) {
        self.left.set(MOST);
    }

    pub(crate) fn spend(&self) -> Result<(), Trouble> {
        let left = self.left.get().checked_sub(1).ok_or(Trouble::Work)?;
        self.left.set(left);
        Ok(())
    }

    pub(crate) fn resolve(&self, reference: &str, from: &Element<'a>) -> Resolved<'a> {
        match (self.resolver, reference.strip_prefix('#')) {
            (Some(resolver), _) => resolver.resolve(reference, from),
            (None, Some("")) => Resolved::Found(self.root_resource),
            (None, Some(id)) => self.contained(id).map_or(Resolved::Nowhere, Resolved::Found),
            (None, None) => Resolved::Unknown,
        }
    }

    fn contained(&self, id: &str) -> Option<Element<'a>> {
        let mut contained = self.root_resource.child(self.schema, "contained");
        contained.find(|one| one.value.and_then(|value| value.text("id")) == Some(id))
    }
}
