//! Primitive values, and what stands beside them under `_name`.

use crate::issue::Place;
use crate::rules;
use crate::walk::{Defined, Owner, Walk, NOTHING, NO_CONTENT, NO_OBJECT};
use caregrid_fhirpath::{Context, Element};
use caregrid_json::{Json, Kind};
use caregrid_values::{check, xhtml, Primitive, Problem};

impl<'a> Walk<'a, '_> {
    pub(crate) fn primitive(
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
    pub(crate) fn shadow(
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
}
