//! The properties of an object: which there may be, how often, and whether as an array.

use crate::issue::Place;
use crate::rules;
use crate::walk::{Defined, Owner, Walk, NOTHING};
use caregrid_fhirpath::{Context, Element};
use caregrid_json::{Json, Kind, Member};
use caregrid_schema::{ElementDef, Property, Shape, Sort};

const UNKNOWN: &str = "FHIR defines no such property here";
const NO_ARRAY: &str = "this repeats, so an array is wanted, also for one value";
const ARRAY: &str = "this does not repeat, so no array is wanted";
const NULL: &str = "null stands only in arrays, for a value that has extensions beside it";
const TWO_CHOICES: &str = "this element stands here with two types";
const MISSING: &str = "this element is required";

impl<'a> Walk<'a, '_> {
    pub(crate) fn members(
        &mut self,
        at: u32,
        owner: Owner<'a>,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
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
