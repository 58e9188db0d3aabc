//! Invariants that stand on nearly every element, written by hand. Each answers as its expression does, which
//! `tests/known.rs` compares over many elements; an expression that differs by a letter is evaluated as any other.

use crate::context::Context;
use crate::element::Element;
use crate::trouble::Trouble;

mod contained;
mod texts;

/// An invariant that is known by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// ele-1.
    Filled,
    /// ele-1 of R4B's resources.
    FilledOrParameters,
    /// ext-1.
    ExtensionOrValue,
    /// dom-2.
    NothingInContained,
    /// dom-3; R4B's asks for an id, and lets any uri refer to the container.
    ContainedIsReferenced { newer: bool },
    /// dom-4.
    ContainedHasNoVersion,
    /// dom-5.
    ContainedHasNoLabels,
    /// ref-1.
    ReferenceIsContained,
}

impl Known {
    pub(crate) fn of(expression: &str) -> Option<Self> {
        // Versions differ in their blanks.
        let letters = |text: &'static str| text.bytes().filter(|byte| !byte.is_ascii_whitespace());
        let written = || expression.bytes().filter(|byte| !byte.is_ascii_whitespace());
        texts::TEXTS.iter().find(|(text, _)| letters(text).eq(written())).map(|(_, known)| *known)
    }

    pub(crate) fn holds<'a>(self, focus: Element<'a>, context: &Context<'a, '_>) -> Result<bool, Trouble> {
        let schema = context.schema;
        match self {
            Self::Filled => Ok(is_filled(&focus, context)),
            Self::FilledOrParameters => Ok(is_filled(&focus, context)
                || schema.named("Parameters").is_some_and(|shape| schema.is_a(focus.shape, shape))),
            Self::ExtensionOrValue => {
                let value = match focus.primitive(schema) {
                    Some(_) => focus.value.is_some(),
                    None => focus.only(schema, "value").is_some(),
                };
                Ok(focus.only(schema, "extension").is_some() != value)
            }
            Self::NothingInContained => Ok(no_contained_has(&focus, context, &["contained"])),
            Self::ContainedHasNoVersion => Ok(no_contained_has(&focus, context, &["meta", "versionId"])
                && no_contained_has(&focus, context, &["meta", "lastUpdated"])),
            Self::ContainedHasNoLabels => Ok(no_contained_has(&focus, context, &["meta", "security"])),
            Self::ContainedIsReferenced { newer } => contained::all_referenced(&focus, context, newer),
            Self::ReferenceIsContained => Ok(contained::is_contained(&focus, context)),
        }
    }
}

fn is_filled<'a>(focus: &Element<'a>, context: &Context<'a, '_>) -> bool {
    let valued = focus.value.is_some() && focus.primitive(context.schema).is_some();
    valued || focus.children(context.schema).any(|child| child.name != "id")
}

fn no_contained_has<'a>(focus: &Element<'a>, context: &Context<'a, '_>, path: &[&str]) -> bool {
    !focus.child(context.schema, "contained").any(|contained| has(contained, context, path))
}

fn has<'a>(element: Element<'a>, context: &Context<'a, '_>, path: &[&str]) -> bool {
    match path {
        [] => true,
        [name, rest @ ..] => element.child(context.schema, name).any(|child| has(child, context, rest)),
    }
}
