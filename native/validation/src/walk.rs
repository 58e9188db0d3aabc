//! The walk over a resource: which properties there may be, how often, of what type, and what each must say.

use crate::codes::Codes;
use crate::invariant::Invariants;
use crate::issue::{Issues, Place};
use crate::profile::Profiles;
use crate::references::homes::Homes;
use crate::rules;
use bumpalo::Bump;
use caregrid_fhirpath::{Context, Element};
use caregrid_json::{Json, Kind, Member};
use caregrid_schema::{ElementDef, Schema, Shape, ShapeId, Sort, TypeUse};
use std::cell::Cell;

pub(crate) const NO_OBJECT: &str = "an object is wanted here";
pub(crate) const NOTHING: &str = "this is empty; leave the property out";
pub(crate) const NO_CONTENT: &str = "an element has a value or children, not an id alone";

/// What stays the same all along.
pub(crate) struct World<'a> {
    pub schema: &'a Schema,
    pub invariants: &'a Invariants,
    pub codes: &'a Codes,
    pub profiles: &'a Profiles,
    /// The resources of the document that stand for themselves.
    pub homes: &'a Homes<'a>,
    /// Canonical urls of profiles that the content has to follow, claimed or not.
    pub asked: &'a [String],
    /// Profiles inside profiles, at the moment.
    pub depth: Cell<u32>,
    pub arena: &'a Bump,
}

/// One walk.
pub(crate) struct Walk<'a, 'i> {
    pub(crate) world: &'a World<'a>,
    pub(crate) issues: &'i mut Issues,
    /// What the element at hand stands in.
    pub(crate) owner: Option<Owner<'a>>,
}

/// An element that others stand in.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub shape: ShapeId,
    /// As its own parent has it; none for resources.
    pub def: Option<&'a ElementDef>,
    pub members: &'a [Member<'a>],
}

/// An element with its definition, as its parent has it.
#[derive(Clone, Copy)]
pub(crate) struct Defined<'a> {
    pub def: &'a ElementDef,
    pub used: Option<&'a TypeUse>,
}

impl<'a> Walk<'a, '_> {
    pub(crate) fn schema(&self) -> &'a Schema {
        self.world.schema
    }

    pub(crate) fn codes(&self) -> &'a Codes {
        self.world.codes
    }

    /// A resource that stands for itself: the whole content, or an entry of a Bundle.
    pub(crate) fn resource(&mut self, json: &'a Json<'a>, place: &Place<'_>) {
        if let Some(element) = self.known_resource(json, place) {
            let mut context = Context::new(self.schema(), self.world.arena, element);
            context.resolver = Some(self.world.homes);
            self.element(element, None, place, &context);
            for url in self.world.asked {
                self.asked(element, url, place, &context);
            }
        }
    }

    fn known_resource(&mut self, json: &'a Json<'a>, place: &Place<'_>) -> Option<Element<'a>> {
        if !matches!(json.kind, Kind::Object(_)) {
            self.issues.add(rules::JSON_TYPE, NO_OBJECT, place, json.at);
            return None;
        }
        let found = Element::resource(self.schema(), json);
        if found.is_none() {
            let text = match json.text("resourceType") {
                Some(_) => "this version of FHIR has no resource of that type",
                None => "a resource names its type in resourceType",
            };
            let at = json.get("resourceType").map_or(json.at, |name| name.at);
            self.issues.add(rules::RESOURCE_TYPE, text, place, at);
        }
        found
    }

    /// An object: a resource or a complex value.
    fn element(
        &mut self,
        element: Element<'a>,
        defined: Option<Defined<'a>>,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        let Some(json) = element.value else { return };
        let Kind::Object(members) = json.kind else {
            self.issues.add(rules::JSON_TYPE, NO_OBJECT, place, json.at);
            return;
        };
        let shape = self.schema().shape(element.shape);
        if members.is_empty() {
            self.issues.add(rules::EMPTY, NOTHING, place, json.at);
            return;
        }
        let owner = Owner { shape: element.shape, def: defined.map(|defined| defined.def), members };
        self.members(json.at, owner, place, context);
        self.content(element, shape, members, place);
        self.invariants(element, defined, place, context);
        if shape.sort == Sort::Resource {
            self.ids(json, place);
            self.narrative(json, place);
            if shape.name == "Bundle" {
                self.bundle(json, place);
            }
            self.claims(element, place, context);
        }
    }

    /// What a type asks for beyond its definition.
    fn content(
        &mut self,
        element: Element<'a>,
        shape: &'a Shape,
        members: &'a [Member<'a>],
        place: &Place<'_>,
    ) {
        if shape.sort == Sort::Complex
            && members.iter().all(|member| member.name == "id" || member.name == "_id")
        {
            self.issues.add_keyed(rules::INVARIANT, Some("ele-1"), NO_CONTENT, place, element.at());
        }
        match shape.name.as_str() {
            "Coding" | "Quantity" | "Age" | "Count" | "Distance" | "Duration" => self.coding(&element, place),
            "Extension" => self.extension(&element, place),
            "Reference" => self.reference_form(&element, place),
            _ => {}
        }
    }

    /// One value.
    pub(crate) fn one(
        &mut self,
        element: Element<'a>,
        defined: Defined<'a>,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        let shape = self.schema().shape(element.shape);
        match shape.sort {
            Sort::Primitive(primitive) => self.primitive(element, primitive, defined, place, context),
            Sort::Complex => {
                self.element(element, Some(defined), place, context);
                self.value_rules(&element, defined, place);
                self.reference(&element, defined.used, place);
                self.profiled(element, defined, place, context);
            }
            Sort::Resource => self.inner_resource(element, defined, place, context),
        }
    }

    fn inner_resource(
        &mut self,
        element: Element<'a>,
        defined: Defined<'a>,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        let Some(json) = element.value else { return };
        let Some(resource) = self.known_resource(json, place) else { return };
        let named = Element { name: element.name, ..resource };
        // A contained resource is part of the one that contains it; an entry of a Bundle stands for itself.
        let root = if defined.def.name == "contained" { context.root_resource } else { named };
        let inner = context.within(named, root);
        self.element(named, None, place, &inner);
        self.profiled(named, defined, place, &inner);
    }

    /// Profiles that the definition itself asks for: `SimpleQuantity`.
    fn profiled(
        &mut self,
        element: Element<'a>,
        defined: Defined<'a>,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        if let Some(used) = defined.used.filter(|used| !used.profiles.is_empty()) {
            self.follow_one(element, &used.profiles, place, context);
        }
    }

    pub(crate) fn value_rules(&mut self, element: &Element<'a>, defined: Defined<'a>, place: &Place<'_>) {
        if let Some(binding) = &defined.def.binding {
            self.bound(element, binding, place);
        }
    }
}
