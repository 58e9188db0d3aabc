//! Membership and sets (FHIRPath §5.1, §5.3, §5.4, §6.3).
//!
//! Large collections are sorted into buckets by a hash first, so that none of this is quadratic.

use super::stream::pour;
use super::{Answer, Flow, Machine, Scope, Sink};
use crate::item::Item;
use crate::syntax::{Call, Function, Node, Operator};
use crate::trouble::Trouble;
use caregrid_json::{Json, Kind};
use std::collections::hash_map::DefaultHasher;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

impl<'a> Machine<'a, '_> {
    /// `in`. As in the reference validator, all of several items have to be in the collection.
    pub(crate) fn within(
        &self,
        items: &'a Node,
        collection: &'a Node,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<bool>> {
        let (Some(first), more) = self.probe(items, scope)? else { return Ok(None) };
        if !more {
            return self.among(&first, collection, scope).map(Some);
        }
        let set = Set::of(self, self.list(collection, scope)?)?;
        for item in self.list(items, scope)? {
            if !set.has(self, &item)? {
                return Ok(Some(false));
            }
        }
        Ok(Some(true))
    }

    fn among(&self, item: &Item<'a>, collection: &'a Node, scope: &Scope<'a, '_>) -> Answer<bool> {
        let mut found = false;
        self.each_repeated(collection, scope, &mut |other| {
            found = self.equal(item, &other)? == Some(true);
            Ok(if found { Flow::Enough } else { Flow::More })
        })?;
        Ok(found)
    }

    /// The items of a node, of a union with its duplicates.
    fn each_repeated(&self, node: &'a Node, scope: &Scope<'a, '_>, sink: &mut Sink<'_, 'a>) -> Answer<Flow> {
        let Node::Binary(Operator::Union, left, right) = node else { return self.each(node, scope, sink) };
        match self.each_repeated(left, scope, sink)? {
            Flow::Enough => Ok(Flow::Enough),
            Flow::More => self.each_repeated(right, scope, sink),
        }
    }

    /// `|`.
    pub(crate) fn union(
        &self,
        left: &'a Node,
        right: &'a Node,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        let mut items = self.list(left, scope)?;
        items.extend(self.list(right, scope)?);
        pour(&self.distinct(items)?, sink)
    }

    fn distinct(&self, items: Vec<Item<'a>>) -> Answer<Vec<Item<'a>>> {
        let mut set = Set::default();
        for item in items {
            set.add(self, item)?;
        }
        Ok(set.items)
    }

    pub(crate) fn is_distinct(&self, left: Option<&'a Node>, scope: &Scope<'a, '_>) -> Answer<bool> {
        let (mut set, mut distinct) = (Set::default(), true);
        self.input(left, scope, &mut |item| {
            distinct = set.add(self, item)?;
            Ok(if distinct { Flow::More } else { Flow::Enough })
        })?;
        Ok(distinct)
    }

    pub(crate) fn subset(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Answer<bool> {
        let argument = call.arguments.first().ok_or(Trouble::Unsupported)?;
        let (input, other) = (self.inputs(left, scope)?, self.list(argument, scope)?);
        let (small, large) = match call.function {
            Function::SubsetOf => (input, other),
            _ => (other, input),
        };
        let set = Set::of(self, large)?;
        for item in small {
            if !set.has(self, &item)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn combine(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        let mut items = self.inputs(left, scope)?;
        let other = match call.arguments.first() {
            Some(argument) => self.list(argument, scope)?,
            None => Vec::new(),
        };
        let items = match call.function {
            Function::Intersect => self.kept(self.distinct(items)?, other, true)?,
            Function::Exclude => self.kept(items, other, false)?,
            Function::Combine => {
                items.extend(other);
                items
            }
            _ => {
                items.extend(other);
                self.distinct(items)?
            }
        };
        pour(&items, sink)
    }

    /// The items that are in a set, or those that are not.
    fn kept(&self, items: Vec<Item<'a>>, set: Vec<Item<'a>>, inside: bool) -> Answer<Vec<Item<'a>>> {
        let set = Set::of(self, set)?;
        let mut kept = Vec::new();
        for item in items {
            if set.has(self, &item)? == inside {
                kept.push(item);
            }
        }
        Ok(kept)
    }

    fn hash(&self, item: &Item<'a>) -> Answer<u64> {
        let mut hasher = DefaultHasher::new();
        match self.system(item)? {
            Some(Item::Integer(number)) => rust_decimal::Decimal::from(number).normalize().hash(&mut hasher),
            Some(Item::Decimal(number)) => number.normalize().hash(&mut hasher),
            Some(Item::String(text)) => text.hash(&mut hasher),
            // Differently written ones may be equal.
            Some(_) => {}
            None => {
                if let Some(value) = item.element().and_then(|element| element.value) {
                    hash_json(value).hash(&mut hasher);
                }
            }
        }
        Ok(hasher.finish())
    }
}

/// Of how many items on hashing is worth its while.
const LARGE: usize = 8;

/// Distinct items.
#[derive(Default)]
struct Set<'a> {
    items: Vec<Item<'a>>,
    places: HashMap<u64, Vec<usize>>,
}

impl<'a> Set<'a> {
    fn of(machine: &Machine<'a, '_>, items: Vec<Item<'a>>) -> Answer<Self> {
        let mut set = Self::default();
        for item in items {
            set.add(machine, item)?;
        }
        Ok(set)
    }

    /// Add an item; `false` if it was there already.
    fn add(&mut self, machine: &Machine<'a, '_>, item: Item<'a>) -> Answer<bool> {
        if self.has(machine, &item)? {
            return Ok(false);
        }
        if self.items.len() == LARGE {
            for (place, one) in self.items.iter().enumerate() {
                self.places.entry(machine.hash(one)?).or_default().push(place);
            }
        }
        if self.items.len() >= LARGE {
            self.places.entry(machine.hash(&item)?).or_default().push(self.items.len());
        }
        self.items.push(item);
        Ok(true)
    }

    fn has(&self, machine: &Machine<'a, '_>, item: &Item<'a>) -> Answer<bool> {
        if self.places.is_empty() {
            return any(&self.items, |one| machine.equal(one, item));
        }
        let places = self.places.get(&machine.hash(item)?).map_or(&[][..], Vec::as_slice);
        any(places, |place| self.items.get(*place).map_or(Ok(None), |one| machine.equal(one, item)))
    }
}

fn any<T>(items: &[T], mut equal: impl FnMut(&T) -> Answer<Option<bool>>) -> Answer<bool> {
    for item in items {
        if equal(item)? == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Alike for equal values: the order of members and the digits of numbers do not count.
fn hash_json(json: &Json) -> u64 {
    let mut hasher = DefaultHasher::new();
    match json.kind {
        Kind::Object(members) => {
            let sum = members.iter().fold(0u64, |sum, member| {
                let mut one = DefaultHasher::new();
                (member.name, hash_json(&member.value)).hash(&mut one);
                sum.wrapping_add(one.finish())
            });
            sum.hash(&mut hasher);
        }
        Kind::Array(elements) => elements.iter().for_each(|one| hash_json(one).hash(&mut hasher)),
        Kind::String(text) => text.hash(&mut hasher),
        Kind::Bool(truth) => truth.hash(&mut hasher),
        Kind::Number(_) | Kind::Null => {}
    }
    hasher.finish()
}
