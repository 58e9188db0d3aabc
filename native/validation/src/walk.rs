//! The walk over a resource: which properties there may be, how often, of what type, and what each must say.

use crate::codes::Codes;
use crate::invariant::{is_evaluated, Invariants};
use crate::issue::{Issues, Place};
use crate::profile::Profiles;
use crate::references::homes::Homes;
use crate::rules;
use bumpalo::Bump;
use caregrid_fhirpath::{Context, Element};
use caregrid_json::{Json, Kind, Member};
use caregrid_schema::{ElementDef, InvariantId, Property, Schema, Shape, ShapeId, Sort, TypeUse};
use caregrid_values::{check, xhtml, Primitive, Problem};
use std::cell::Cell;

const UNKNOWN: &str = "FHIR defines no such property here";
const NO_OBJECT: &str = "an object is wanted here";
const NO_ARRAY: &str = "this repeats, so an array is wanted, also for one value";
const ARRAY: &str = "this does not repeat, so no array is wanted";
const NULL: &str = "null stands only in arrays, for a value that has extensions beside it";
const NOTHING: &str = "this is empty; leave the property out";
const TWO_CHOICES: &str = "this element stands here with two types";
const MISSING: &str = "this element is required";
const NO_CONTENT: &str = "an element has a value or children, not an id alone";

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

    fn members(&mut self, at: u32, owner: Owner<'a>, place: &Place<'_>, context: &Context<'a, '_>) {
        let Owner { members, shape, .. } = owner;
        let shape = self.schema().shape(shape);
        let outer = self.owner.replace(owner);
        let counts = self.world.arena.alloc_slice_fill_copy(shape.elements.len(), None::<&str>);
        for member in members {
            let plain = member.name.strip_prefix('_').unwrap_or(member.name);
            let Some((property, def)) = find(shape, plain) else {
                if member.name != "resourceType" || shape.sort != Sort::Resource {
                    self.issues.add(rules::UNKNOWN_ELEMENT, UNKNOWN, place, member.name_at);
                }
                continue;
            };
            let seen = &mut counts[property.element as usize];
            if seen.is_some_and(|name| name != plain) {
                self.issues.add(rules::CHOICE, TWO_CHOICES, &place.inner(&def.name, None), member.name_at);
            }
            let first = seen.replace(plain).is_none();
            let shadowed = plain.len() != member.name.len();
            if shadowed && !self.is_primitive(property) {
                self.issues.add(rules::UNKNOWN_ELEMENT, UNKNOWN, place, member.name_at);
            } else if first {
                self.property(members, plain, *property, def, place, context);
            }
        }
        self.owner = outer;
        self.required(at, shape, counts, place);
    }

    fn required(&mut self, at: u32, shape: &'a Shape, counts: &[Option<&str>], place: &Place<'_>) {
        for (def, count) in shape.elements.iter().zip(counts) {
            if def.min > 0 && count.is_none() {
                self.issues.add_keyed(rules::CARDINALITY, None, MISSING, &place.inner(&def.name, None), at);
            }
        }
    }

    fn is_primitive(&self, property: &Property) -> bool {
        matches!(self.schema().shape(property.shape).sort, Sort::Primitive(_))
    }

    /// A name's value and shadow.
    fn property(
        &mut self,
        members: &'a [Member<'a>],
        name: &'a str,
        property: Property,
        def: &'a ElementDef,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        let value = members.iter().find(|member| member.name == name).map(|member| &member.value);
        let shadow = self.is_primitive(&property).then(|| shadow_of(members, name)).flatten();
        let defined = Defined { def, used: def.types.get(property.choice as usize) };
        let list = def.is_list();
        for json in [value, shadow].into_iter().flatten() {
            self.arrayed(json, list, &place.inner(name, None));
        }
        let length = length(value).max(length(shadow));
        for index in 0..length {
            let (value, shadow) = (part(value, index), part(shadow, index));
            let inner = place.inner(name, list.then_some(index));
            if value.is_none() && shadow.is_none() {
                self.hole(members, name, index, &inner);
                continue;
            }
            let shape = property.shape;
            self.one(Element { name, shape, value, shadow }, defined, &inner, context);
        }
    }

    fn arrayed(&mut self, json: &'a Json<'a>, list: bool, place: &Place<'_>) {
        match json.kind {
            Kind::Null => self.issues.add(rules::EMPTY, NULL, place, json.at),
            Kind::Array([]) => self.issues.add(rules::EMPTY, NOTHING, place, json.at),
            Kind::Array(_) if !list => self.issues.add(rules::JSON_TYPE, ARRAY, place, json.at),
            Kind::Array(_) => {}
            _ if list => self.issues.add(rules::JSON_TYPE, NO_ARRAY, place, json.at),
            _ => {}
        }
    }

    fn hole(&mut self, members: &'a [Member<'a>], name: &str, index: usize, place: &Place<'_>) {
        let written =
            members.iter().find(|member| member.name == name || member.name.strip_prefix('_') == Some(name));
        let at = written.map_or(0, |member| member.value.elements().get(index).unwrap_or(&member.value).at);
        self.issues.add(rules::EMPTY, NULL, place, at);
    }

    /// One value.
    fn one(
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

    fn value_rules(&mut self, element: &Element<'a>, defined: Defined<'a>, place: &Place<'_>) {
        if let Some(binding) = &defined.def.binding {
            self.bound(element, binding, place);
        }
    }

    fn primitive(
        &mut self,
        element: Element<'a>,
        primitive: Primitive,
        defined: Defined<'a>,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        if let Some(value) = element.value {
            match check(primitive, value) {
                Ok(()) => self.sound(&element, value, primitive, defined, place),
                Err(problem) => self.unsound(problem, place, value.at),
            }
        }
        if let Some(shadow) = element.shadow {
            self.shadow(element, shadow, defined, place, context);
        }
        self.invariants(element, Some(defined), place, context);
    }

    fn unsound(&mut self, problem: Problem, place: &Place<'_>, at: u32) {
        let rule = match problem {
            Problem::Kind(_) => rules::JSON_TYPE,
            Problem::Format(_) => rules::VALUE_FORMAT,
        };
        self.issues.add(rule, problem.text(), place, at);
    }

    fn sound(
        &mut self,
        element: &Element<'a>,
        value: &'a Json<'a>,
        primitive: Primitive,
        defined: Defined<'a>,
        place: &Place<'_>,
    ) {
        let text = value.as_str().unwrap_or_default();
        if primitive == Primitive::Xhtml {
            if let Err(problem) = xhtml::check(text) {
                self.issues.add(rules::XHTML, problem, place, value.at);
            }
        }
        if matches!(primitive, Primitive::Canonical | Primitive::Uri) {
            self.canonical(value, primitive, defined.def, place);
        }
        if defined.def.max_length.is_some_and(|most| text.chars().nth(most as usize).is_some()) {
            self.issues.add(rules::MAX_LENGTH, "the text is longer than FHIR allows here", place, value.at);
        }
        self.value_rules(element, defined, place);
    }

    /// `_name`: an id and extensions of a primitive value.
    fn shadow(
        &mut self,
        element: Element<'a>,
        shadow: &'a Json<'a>,
        defined: Defined<'a>,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        let Kind::Object(members) = shadow.kind else {
            self.issues.add(rules::JSON_TYPE, NO_OBJECT, place, shadow.at);
            return;
        };
        if members.is_empty() {
            self.issues.add(rules::EMPTY, NOTHING, place, shadow.at);
        } else if element.value.is_none() && members.iter().all(|member| member.name == "id") {
            self.issues.add_keyed(rules::INVARIANT, Some("ele-1"), NO_CONTENT, place, shadow.at);
        }
        let owner = Owner { shape: element.shape, def: Some(defined.def), members };
        self.members(shadow.at, owner, place, context);
    }

    fn invariants(
        &mut self,
        element: Element<'a>,
        defined: Option<Defined<'a>>,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        for id in self.world.invariants.of(element.shape) {
            self.invariant(*id, element, place, context);
        }
        for id in defined.map_or(&[][..], |defined| &defined.def.invariants) {
            if self.schema().invariants.get(*id as usize).is_some_and(is_evaluated) {
                self.invariant(*id, element, place, context);
            }
        }
    }

    pub(crate) fn invariant(
        &mut self,
        id: InvariantId,
        element: Element<'a>,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        let schema = self.schema();
        let Some(invariant) = schema.invariants.get(id as usize) else { return };
        match self.world.invariants.holds(schema, id, element, context) {
            Ok(true) => {}
            Ok(false) => {
                let rule = if invariant.warning { rules::BEST_PRACTICE } else { rules::INVARIANT };
                self.issues.add_keyed(
                    rule,
                    Some(&invariant.key),
                    invariant.human.clone(),
                    place,
                    element.at(),
                );
            }
            Err(trouble) => {
                self.once(rules::INVARIANT_NOT_CHECKED, &invariant.key, trouble.text(), place, element.at());
            }
        }
    }
}

fn find<'s>(shape: &'s Shape, name: &str) -> Option<(&'s Property, &'s ElementDef)> {
    let property = shape.properties.get(name)?;
    Some((property, shape.elements.get(property.element as usize)?))
}

fn shadow_of<'a>(members: &'a [Member<'a>], name: &str) -> Option<&'a Json<'a>> {
    members.iter().find(|member| member.name.strip_prefix('_') == Some(name)).map(|member| &member.value)
}

fn length(json: Option<&Json<'_>>) -> usize {
    json.map_or(0, |json| match json.kind {
        Kind::Array(elements) => elements.len(),
        _ => 1,
    })
}

fn part<'a>(json: Option<&'a Json<'a>>, index: usize) -> Option<&'a Json<'a>> {
    let json = json?;
    let one = match json.kind {
        Kind::Array(elements) => elements.get(index),
        _ if index == 0 => Some(json),
        _ => None,
    };
    one.filter(|one| !matches!(one.kind, Kind::Null))
}
