//! An instance along the tree of a profile.

use super::tree::{Node, Profile};
use super::value::{is_fixed, is_like, order};
use crate::issue::{Issues, Place};
use crate::rules;
use crate::walk::Walk;
use caregrid_fhirpath::{Context, Element};
use caregrid_schema::form::TypeRef;
use std::borrow::Cow;
use std::cmp::Ordering;

const MISSING: &str = "the profile requires this element, or more of it";
const TOO_MANY: &str = "the profile allows fewer of this element, or none";
const FIXED: &str = "the profile fixes another value";
const PATTERN: &str = "the value lacks what the profile's pattern has";
const RANGE: &str = "the value is outside of the range that the profile allows";
const LENGTH: &str = "the text is longer than the profile allows";
const TYPE: &str = "the profile allows no value of this type here";
const TARGET: &str = "the profile allows no reference to a resource of this type here";
const NONE_OF: &str = "this follows none of the profiles of which one is wanted here";
const NOT_AT_HAND: &str = "a profile that this has to follow is not known, and was not checked";

/// Profiles inside profiles. Values nest no deeper in any profile that makes sense.
const DEEPEST: u32 = 16;

impl<'a> Walk<'a, '_> {
    /// Check an element against a profile of its type.
    pub(crate) fn follow(
        &mut self,
        element: Element<'a>,
        profile: &'a Profile,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        if self.world.depth.get() >= DEEPEST {
            self.once(rules::PROFILE_NOT_CHECKED, &profile.url, NOT_AT_HAND, place, element.at());
            return;
        }
        self.world.depth.set(self.world.depth.get() + 1);
        self.node(element, &profile.root, profile, place, context);
        self.world.depth.set(self.world.depth.get() - 1);
    }

    /// Check an element against profiles of which it has to follow one.
    pub(crate) fn follow_one(
        &mut self,
        element: Element<'a>,
        urls: &[String],
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        let schema = self.schema();
        if let [url] = urls {
            return match self.world.profiles.get(schema, url) {
                Some(profile) => self.follow(element, profile, place, context),
                None if schema.structures.contains_key(url) => self.is_of_structure(element, url, place),
                None => self.once(rules::PROFILE_NOT_CHECKED, url, NOT_AT_HAND, place, element.at()),
            };
        }
        let verdicts: Vec<Option<bool>> =
            urls.iter().map(|url| self.conforms(element, url, place, context)).collect();
        if verdicts.contains(&Some(true)) || urls.is_empty() {
        } else if verdicts.contains(&None) {
            self.once(rules::PROFILE_NOT_CHECKED, &urls[0], NOT_AT_HAND, place, element.at());
        } else {
            self.issues.add(rules::PROFILE, NONE_OF, place, element.at());
        }
    }

    /// A type where a profile might be.
    fn is_of_structure(&mut self, element: Element<'a>, url: &str, place: &Place<'_>) {
        let schema = self.schema();
        let wanted = schema.structures.get(url).and_then(|one| schema.named(&one.type_name));
        if wanted.is_some_and(|wanted| !schema.is_a(element.shape, wanted)) {
            self.issues.add_keyed(rules::PROFILE, Some(url), TYPE, place, element.at());
        }
    }

    /// Whether an element follows a profile; `None` if that is not known.
    pub(crate) fn conforms(
        &self,
        element: Element<'a>,
        url: &str,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) -> Option<bool> {
        let profile = self.world.profiles.get(self.schema(), url)?;
        if !profile.shape.is_some_and(|shape| self.schema().is_a(element.shape, shape)) {
            return Some(false);
        }
        let mut issues = Issues::new(0);
        let mut walk = Walk { world: self.world, issues: &mut issues, owner: self.owner };
        walk.follow(element, profile, place, context);
        Some(!issues.is_invalid())
    }

    /// Check an element against its node.
    pub(super) fn node(
        &mut self,
        element: Element<'a>,
        node: &'a Node,
        profile: &'a Profile,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        if !self.typed(element, node, profile, place, context) {
            return;
        }
        self.valued(element, node, profile, place);
        if let Some(binding) = &node.binding {
            self.bound(&element, binding, place);
        }
        for id in &node.invariants {
            self.invariant(*id, element, place, context);
        }
        for child in &node.children {
            self.child(element, child, profile, place, context);
        }
    }

    fn child(
        &mut self,
        parent: Element<'a>,
        node: &'a Node,
        profile: &'a Profile,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        let chosen = node.choice.as_deref();
        let found: Vec<(usize, Element<'a>)> = parent
            .child(self.schema(), &node.name)
            .filter(|one| chosen.is_none_or(|name| name == one.name))
            .enumerate()
            .collect();
        // What the type requires itself has been said.
        let inner = place.inner(&node.name, None);
        if !found.is_empty() || node.base_min == 0 {
            self.counted(
                found.len(),
                node,
                profile,
                &inner,
                found.first().map_or(parent.at(), |one| one.1.at()),
            );
        }
        for (index, element) in &found {
            let inner = place.inner(element.name, node.list.then_some(*index));
            self.node(*element, node, profile, &inner, context);
        }
        // Where the whole element is missing, so are its slices, and that has been said.
        if !found.is_empty() || node.min == 0 {
            self.sliced(&found, node, profile, place, parent.at(), context);
        }
    }

    pub(super) fn counted(
        &mut self,
        count: usize,
        node: &Node,
        profile: &Profile,
        place: &Place<'_>,
        at: u32,
    ) {
        let text: Cow<'static, str> = match (&node.slice, count < node.min as usize) {
            (None, true) => MISSING.into(),
            (Some(slice), true) => format!("the profile requires more of its slice {slice}").into(),
            (_, false) if node.max.is_none_or(|most| count <= most as usize) => return,
            (None, false) => TOO_MANY.into(),
            (Some(slice), false) => format!("the profile allows fewer of its slice {slice}, or none").into(),
        };
        self.issues.add_keyed(rules::PROFILE, Some(&profile.url), text, place, at);
    }

    fn valued(&mut self, element: Element<'a>, node: &Node, profile: &Profile, place: &Place<'_>) {
        let fixed = node.fixed.as_ref();
        let pattern = node.pattern.as_ref();
        let Some(json) = element.value else {
            if fixed.is_some() || pattern.is_some() {
                self.issues.add_keyed(rules::PROFILE, Some(&profile.url), FIXED, place, element.at());
            }
            return;
        };
        let below = |bound: &_| order(json, bound) == Some(Ordering::Less);
        let above = |bound: &_| order(json, bound) == Some(Ordering::Greater);
        let length = |most: u32| json.as_str().is_some_and(|text| text.chars().nth(most as usize).is_some());
        let broken = [
            (fixed.is_some_and(|fixed| !is_fixed(json, fixed)), FIXED),
            (pattern.is_some_and(|pattern| !is_like(json, pattern)), PATTERN),
            (node.min_value.as_ref().is_some_and(below), RANGE),
            (node.max_value.as_ref().is_some_and(above), RANGE),
            (node.max_length.is_some_and(length), LENGTH),
        ];
        for (_, text) in broken.into_iter().filter(|(is_broken, _)| *is_broken) {
            self.issues.add_keyed(rules::PROFILE, Some(&profile.url), text, place, json.at);
        }
    }

    /// Whether the element is of a type that the profile allows.
    fn typed(
        &mut self,
        element: Element<'a>,
        node: &'a Node,
        profile: &Profile,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) -> bool {
        if node.types.is_empty() {
            return true;
        }
        let Some(used) = node.types.iter().find(|one| self.is_of(element, &one.code)) else {
            self.issues.add_keyed(rules::PROFILE, Some(&profile.url), TYPE, place, element.at());
            return false;
        };
        // Extensions are checked against their definitions wherever they stand.
        if !used.profiles.is_empty() && used.code != "Extension" {
            self.follow_one(element, &used.profiles, place, context);
        }
        if !used.targets.is_empty() && self.refers_elsewhere(element, used) {
            self.issues.add_keyed(rules::PROFILE, Some(&profile.url), TARGET, place, element.at());
        }
        true
    }

    /// Whether an element is of a type, by its name.
    pub(super) fn is_of(&self, element: Element<'a>, code: &str) -> bool {
        let schema = self.schema();
        let shape = schema.shape(element.shape);
        shape.type_name == code || schema.named(code).is_some_and(|wanted| schema.is_a(element.shape, wanted))
    }

    /// Whether a reference says that it is to a resource of a type that is none of the targets.
    fn refers_elsewhere(&self, element: Element<'a>, used: &TypeRef) -> bool {
        let schema = self.schema();
        let Some(named) = element.value.and_then(|json| target_type(json.text("reference")?)) else {
            return false;
        };
        let Some(named) = schema.resource(named) else { return false };
        !used.targets.iter().any(|url| match schema.structures.get(url) {
            Some(target) => schema.named(&target.type_name).is_none_or(|wanted| schema.is_a(named, wanted)),
            None => true,
        })
    }
}

/// `Patient` of `Patient/1`, `http://server/fhir/Patient/1/_history/2`.
pub(super) fn target_type(reference: &str) -> Option<&str> {
    if reference.starts_with('#') || reference.starts_with("urn:") || reference.contains(['?', '|']) {
        return None;
    }
    let reference = reference.split_once("/_history/").map_or(reference, |(before, _)| before);
    let mut parts = reference.rsplit('/');
    let _id = parts.next()?;
    parts.next()
}
