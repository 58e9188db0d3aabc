//! Slices (<https://hl7.org/fhir/R4/profiling.html#slicing>): which elements belong to which, and how many there are.

use super::follow::target_type;
use super::tree::{Node, Profile};
use super::value::{is_fixed, is_like};
use crate::codes::Membership;
use crate::issue::Place;
use crate::rules;
use crate::walk::Walk;
use caregrid_fhirpath::{Context, Element, Resolved};
use caregrid_schema::form::Discriminator;
use caregrid_schema::{Binding, Strength};
use serde_json::Value;

const CLOSED: &str = "this is none of the slices that the profile allows";
const ORDER: &str = "the profile's slices stand in another order";
const AT_END: &str = "what is none of the profile's slices stands after all of them";
const NOT_TOLD: &str = "which slice of the profile this belongs to was not found out";

/// What an element has to be to belong to a slice.
enum Criterion<'n> {
    Fixed(&'n Value),
    Pattern(&'n Value),
    Bound(&'n Binding),
}

impl<'a> Walk<'a, '_> {
    /// Check the elements of one name against the slices of their node.
    pub(super) fn sliced(
        &mut self,
        found: &[(usize, Element<'a>)],
        node: &'a Node,
        profile: &'a Profile,
        place: &Place<'_>,
        at: u32,
        context: &Context<'a, '_>,
    ) {
        if node.slices.is_empty() {
            return;
        }
        let belongs = self.belongings(found, node, place, context);
        if belongs.contains(&Belonging::Unknown) {
            return self.once(rules::PROFILE_NOT_CHECKED, &profile.url, NOT_TOLD, place, at);
        }
        self.arranged(found, &belongs, node, profile, place);
        for (number, slice) in node.slices.iter().enumerate() {
            let members: Vec<(usize, Element<'a>)> = found
                .iter()
                .zip(&belongs)
                .filter(|(_, belonging)| **belonging == Belonging::To(number))
                .map(|(one, _)| *one)
                .collect();
            let inner = place.inner(&slice.name, None);
            let at = members.first().map_or(at, |(_, element)| element.at());
            self.counted(members.len(), slice, profile, &inner, at);
            for (index, element) in &members {
                let inner = place.inner(element.name, node.list.then_some(*index));
                self.node(*element, slice, profile, &inner, context);
            }
            self.sliced(&members, slice, profile, place, at, context);
        }
    }

    fn belongings(
        &self,
        found: &[(usize, Element<'a>)],
        node: &'a Node,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) -> Vec<Belonging> {
        let of = |element: Element<'a>| {
            let mut belonging = Belonging::ToNone;
            for (number, slice) in node.slices.iter().enumerate() {
                match self.belongs(element, node, slice, place, context) {
                    Some(true) => return Belonging::To(number),
                    Some(false) => {}
                    None => belonging = Belonging::Unknown,
                }
            }
            belonging
        };
        found.iter().map(|(_, element)| of(*element)).collect()
    }

    /// The rules on elements outside of slices, and on the order.
    fn arranged(
        &mut self,
        found: &[(usize, Element<'a>)],
        belongs: &[Belonging],
        node: &Node,
        profile: &Profile,
        place: &Place<'_>,
    ) {
        let Some(slicing) = &node.slicing else { return };
        let last = belongs.iter().rposition(|belonging| matches!(belonging, Belonging::To(_)));
        let mut reached = 0;
        for (position, ((index, element), belonging)) in found.iter().zip(belongs).enumerate() {
            let text = match (belonging, slicing.rules.as_str()) {
                (Belonging::To(number), _) if slicing.ordered && *number < reached => ORDER,
                (Belonging::To(number), _) => {
                    reached = *number;
                    continue;
                }
                (_, "closed") => CLOSED,
                (_, "openAtEnd") if last.is_some_and(|last| position < last) => AT_END,
                _ => continue,
            };
            let inner = place.inner(element.name, node.list.then_some(*index));
            self.issues.add_keyed(rules::PROFILE, Some(&profile.url), text, &inner, element.at());
        }
    }

    /// Whether an element belongs to a slice; `None` if that cannot be told.
    fn belongs(
        &self,
        element: Element<'a>,
        node: &'a Node,
        slice: &'a Node,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) -> Option<bool> {
        if let Some(choice) = &slice.choice {
            return Some(element.name == choice);
        }
        let discriminators = node.discriminators();
        if discriminators.is_empty() {
            return self.belongs_by_custom(element, node, slice, context);
        }
        let mut told = Some(true);
        for discriminator in discriminators {
            match self.meets(element, slice, discriminator, place, context) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => told = None,
            }
        }
        told
    }

    /// Extensions are always told apart by their url, and choices by their type.
    fn belongs_by_custom(
        &self,
        element: Element<'a>,
        node: &'a Node,
        slice: &'a Node,
        context: &Context<'a, '_>,
    ) -> Option<bool> {
        if matches!(node.name.as_str(), "extension" | "modifierExtension") {
            return self.has_value(element, slice, &["url"], context);
        }
        (!slice.types.is_empty()).then(|| slice.types.iter().any(|one| self.is_of(element, &one.code)))
    }

    fn meets(
        &self,
        element: Element<'a>,
        slice: &'a Node,
        discriminator: &'a Discriminator,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) -> Option<bool> {
        let steps = steps(&discriminator.path);
        match discriminator.kind.as_str() {
            "value" | "pattern" => self.has_value(element, slice, &steps, context),
            "exists" => {
                let nodes = self.nodes(slice, &steps);
                let exists = !self.walk_to(element, &steps, context)?.is_empty();
                if nodes.iter().any(|node| node.max == Some(0)) {
                    Some(!exists)
                } else {
                    nodes.iter().any(|node| node.min > 0).then_some(exists)
                }
            }
            "type" => self.has_type(element, slice, &steps, context),
            "profile" => self.has_profile(element, slice, &steps, place, context),
            _ => None,
        }
    }

    fn has_value(
        &self,
        element: Element<'a>,
        slice: &'a Node,
        steps: &[&str],
        context: &Context<'a, '_>,
    ) -> Option<bool> {
        let mut criteria = Vec::new();
        self.criteria(slice, steps, &mut criteria);
        let items = self.walk_to(element, steps, context)?;
        let mut told = (!criteria.is_empty()).then_some(false);
        for item in items {
            for criterion in &criteria {
                match self.matches(item, criterion) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => told = None,
                }
            }
        }
        told
    }

    fn matches(&self, item: Element<'a>, criterion: &Criterion<'_>) -> Option<bool> {
        let Some(json) = item.value else { return Some(false) };
        match criterion {
            Criterion::Fixed(value) => Some(is_fixed(json, value)),
            Criterion::Pattern(value) => Some(is_like(json, value)),
            Criterion::Bound(binding) => match self.membership(&item, json, binding.value_set.as_deref()?) {
                Some(Membership::Unknown) => None,
                found => Some(found == Some(Membership::Member)),
            },
        }
    }

    fn has_type(
        &self,
        element: Element<'a>,
        slice: &'a Node,
        steps: &[&str],
        context: &Context<'a, '_>,
    ) -> Option<bool> {
        if let Some((&"resolve()", before)) = steps.split_last() {
            return self.refers_to_type(element, slice, before, context);
        }
        let nodes = self.nodes(slice, steps);
        let types: Vec<&str> =
            nodes.iter().flat_map(|node| &node.types).map(|one| one.code.as_str()).collect();
        if types.is_empty() {
            return None;
        }
        let items = self.walk_to(element, steps, context)?;
        Some(items.iter().any(|item| types.iter().any(|code| self.is_of(*item, code))))
    }

    fn refers_to_type(
        &self,
        element: Element<'a>,
        slice: &'a Node,
        steps: &[&str],
        context: &Context<'a, '_>,
    ) -> Option<bool> {
        let schema = self.schema();
        let nodes = self.nodes(slice, steps);
        let targets = nodes.iter().flat_map(|node| &node.types).flat_map(|one| &one.targets);
        let wanted: Vec<&str> = targets
            .filter_map(|url| schema.structures.get(url))
            .map(|target| target.type_name.as_str())
            .collect();
        if wanted.is_empty() {
            return None;
        }
        for item in self.walk_to(element, steps, context)? {
            let Some(reference) = item.value.and_then(|json| json.text("reference")) else { continue };
            let named = match target_type(reference).filter(|named| schema.resource(named).is_some()) {
                Some(named) => named,
                None => match context.resolve(reference, &item) {
                    Resolved::Found(target) => &schema.shape(target.shape).name,
                    Resolved::Nowhere => continue,
                    Resolved::Unknown => return None,
                },
            };
            if wanted.contains(&named) || wanted.contains(&"Resource") {
                return Some(true);
            }
        }
        Some(false)
    }

    fn has_profile(
        &self,
        element: Element<'a>,
        slice: &'a Node,
        steps: &[&str],
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) -> Option<bool> {
        let (resolved, before) = match steps.split_last() {
            Some((&"resolve()", before)) => (true, before),
            _ => (false, steps),
        };
        let nodes = self.nodes(slice, before);
        let types = nodes.iter().flat_map(|node| &node.types);
        let urls: Vec<&String> =
            types.flat_map(|one| if resolved { &one.targets } else { &one.profiles }).collect();
        let mut told = (!urls.is_empty()).then_some(false);
        for item in self.walk_to(element, steps, context)? {
            for url in &urls {
                match self.conforms(item, url, place, context) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => told = None,
                }
            }
        }
        told
    }

    /// The elements at a discriminator's path; `None` if a reference on the way is to what is not at hand.
    fn walk_to(
        &self,
        element: Element<'a>,
        steps: &[&str],
        context: &Context<'a, '_>,
    ) -> Option<Vec<Element<'a>>> {
        let mut at = vec![element];
        for step in steps {
            let mut next = Vec::new();
            for one in at {
                self.step(one, step, context, &mut next)?;
            }
            at = next;
        }
        Some(at)
    }

    fn step(
        &self,
        one: Element<'a>,
        step: &str,
        context: &Context<'a, '_>,
        next: &mut Vec<Element<'a>>,
    ) -> Option<()> {
        if step == "resolve()" {
            let Some(reference) = one.value.and_then(|json| json.text("reference")) else { return Some(()) };
            match context.resolve(reference, &one) {
                Resolved::Found(target) => next.push(target),
                Resolved::Nowhere => {}
                Resolved::Unknown => return None,
            }
        } else if let Some(url) = argument(step, "extension") {
            let extensions = one.child(self.schema(), "extension");
            next.extend(extensions.filter(|one| one.value.and_then(|json| json.text("url")) == Some(url)));
        } else if let Some(code) = argument(step, "ofType") {
            next.extend(self.is_of(one, code).then_some(one));
        } else {
            next.extend(one.child(self.schema(), step));
        }
        Some(())
    }

    /// The nodes at a discriminator's path, in a slice and the profiles that it refers to.
    fn nodes(&self, slice: &'a Node, steps: &[&str]) -> Vec<&'a Node> {
        let mut at = vec![slice];
        for step in steps {
            at = at.into_iter().flat_map(|node| self.inner_nodes(node, step)).collect();
        }
        at
    }

    fn inner_nodes(&self, node: &'a Node, step: &str) -> Vec<&'a Node> {
        let schema = self.schema();
        if step.starts_with("ofType(") {
            return vec![node];
        }
        let urls: Vec<&'a String> = match step {
            "resolve()" => node.types.iter().flat_map(|one| &one.targets).collect(),
            _ => node.types.iter().flat_map(|one| &one.profiles).collect(),
        };
        let roots =
            urls.into_iter().filter_map(|url| self.world.profiles.get(schema, url)).map(|one| &one.root);
        if step == "resolve()" {
            return roots.collect();
        }
        let name = if step.starts_with("extension(") { "extension" } else { step };
        let url = argument(step, "extension");
        let children = std::iter::once(node).chain(roots).flat_map(|one| &one.children);
        let named = children.filter(|child| child.name == name);
        let with_slices = named.flat_map(|child| std::iter::once(child).chain(&child.slices));
        with_slices.filter(|child| url.is_none_or(|url| self.has_url(child, url))).collect()
    }

    fn has_url(&self, extension: &'a Node, url: &str) -> bool {
        let mut criteria = Vec::new();
        self.criteria(extension, &["url"], &mut criteria);
        criteria.iter().any(|one| matches!(one, Criterion::Fixed(value) if value.as_str() == Some(url)))
    }

    fn criteria(&self, node: &'a Node, steps: &[&str], found: &mut Vec<Criterion<'a>>) {
        let inner = |value: &'a Value| {
            let mut values = Vec::new();
            inside(value, steps, &mut values);
            values
        };
        found.extend(node.fixed.iter().flat_map(inner).map(Criterion::Fixed));
        found.extend(node.pattern.iter().flat_map(inner).map(Criterion::Pattern));
        let Some((step, rest)) = steps.split_first() else {
            let binding = node.binding.as_ref().filter(|binding| binding.strength == Strength::Required);
            // A value set tells slices apart where no value does.
            if let Some(binding) = binding.filter(|_| node.fixed.is_none() && node.pattern.is_none()) {
                found.push(Criterion::Bound(binding));
            }
            return;
        };
        for child in self.inner_nodes(node, step) {
            self.criteria(child, rest, found);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Belonging {
    To(usize),
    ToNone,
    Unknown,
}

/// `resolve().code` in its steps; texts in parentheses stay whole, and `$this` is no step.
fn steps(path: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let (mut begin, mut depth) = (0, 0u32);
    for (place, letter) in path.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '.' if depth == 0 => {
                steps.extend(path.get(begin..place));
                begin = place + 1;
            }
            _ => {}
        }
    }
    steps.extend(path.get(begin..));
    steps.retain(|step| *step != "$this" && !step.is_empty());
    steps
}

/// `x` of `extension('x')`.
fn argument<'s>(step: &'s str, function: &str) -> Option<&'s str> {
    let inner = step.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')')?;
    Some(inner.trim_matches(['\'', '"']))
}

/// The values at a path inside a fixed value or pattern.
fn inside<'v>(value: &'v Value, steps: &[&str], found: &mut Vec<&'v Value>) {
    match (value, steps.split_first()) {
        (Value::Array(values), _) => values.iter().for_each(|one| inside(one, steps, found)),
        (_, None) => found.push(value),
        (Value::Object(members), Some((step, rest))) => {
            members.get(*step).into_iter().for_each(|one| inside(one, rest, found));
        }
        _ => {}
    }
}
