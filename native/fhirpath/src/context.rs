//! What an evaluation may know besides the element it starts from.

use crate::element::Element;
use crate::trouble::Trouble;
use bumpalo::Bump;
use caregrid_schema::Schema;
use std::cell::Cell;
use std::rc::Rc;

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

/// Elements that one evaluation may visit. What HL7's invariants do is mostly linear in the size of a resource.
const MOST: u32 = 5_000_000;

/// Elements that all evaluations for a document may visit: some seconds.
const MOST_OF_ALL: u64 = 200_000_000;

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
    /// `%extension`: of an extension's context invariants, that extension.
    pub extension: Option<Element<'a>>,
    /// For `resolve()`; without it only `#id` is resolved, among the root resource's contained ones.
    pub resolver: Option<&'c dyn Resolver<'a>>,
    /// For `memberOf()`.
    pub terminology: Option<&'c dyn Terminology>,
    /// For `conformsTo()`.
    pub profiles: Option<&'c dyn Profiles>,
    share: Cell<u32>,
    left: Cell<u32>,
    left_of_all: Rc<Cell<u64>>,
}

impl<'a, 'c> Context<'a, 'c> {
    /// For the elements of a resource that stands for itself.
    pub fn new(schema: &'a Schema, arena: &'a Bump, resource: Element<'a>) -> Self {
        Self {
            schema,
            arena,
            resource,
            root_resource: resource,
            extension: None,
            resolver: None,
            terminology: None,
            profiles: None,
            share: Cell::new(0),
            left: Cell::new(0),
            left_of_all: Rc::new(Cell::new(MOST_OF_ALL)),
        }
    }

    /// The same for a resource contained in, or an entry of, this one.
    pub fn within(&self, resource: Element<'a>, root_resource: Element<'a>) -> Self {
        let left_of_all = Rc::clone(&self.left_of_all);
        Self { resource, root_resource, share: Cell::new(0), left: Cell::new(0), left_of_all, ..*self }
    }

    /// Charge the last evaluation, and grant the next one its share of the work.
    pub(crate) fn begin(&self) {
        let spent = self.share.get() - self.left.get();
        let all = self.left_of_all.get().saturating_sub(u64::from(spent));
        let share = u32::try_from(all).unwrap_or(MOST).min(MOST);
        self.left_of_all.set(all);
        self.share.set(share);
        self.left.set(share);
    }

    pub(crate) fn spend(&self) -> Result<(), Trouble> {
        let left = self.left.get().checked_sub(1).ok_or(Trouble::Work)?;
        self.left.set(left);
        Ok(())
    }

    /// The resource that a reference, written in the element `from`, refers to.
    pub fn resolve(&self, reference: &str, from: &Element<'a>) -> Resolved<'a> {
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
