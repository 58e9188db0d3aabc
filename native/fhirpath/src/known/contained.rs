//! Contained resources and what refers to them: dom-3 and ref-1.

use crate::context::Context;
use crate::element::Element;
use crate::trouble::Trouble;
use caregrid_schema::ShapeId;
use std::collections::HashSet;

/// dom-3: one walk over the resource instead of four for each contained one.
pub(super) fn all_referenced<'a>(
    focus: &Element<'a>,
    context: &Context<'a, '_>,
    newer: bool,
) -> Result<bool, Trouble> {
    let mut contained = focus.child(context.schema, "contained").peekable();
    if contained.peek().is_none() {
        return Ok(true);
    }
    let uri = context.schema.named("uri");
    let mut inside = HashSet::new();
    local_references(&context.resource, context, uri, &mut inside)?;
    for one in contained {
        let id = one.value.and_then(|value| value.text("id"));
        let referenced = match id {
            Some(id) => inside.contains(id),
            // `'#' + {}` is nothing, and what is neither true nor false is no fault.
            None => !newer,
        };
        if !referenced && !refers_to_container(&one, context, newer)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What stands behind `#` in references and uris.
fn local_references<'a>(
    element: &Element<'a>,
    context: &Context<'a, '_>,
    uri: Option<ShapeId>,
    found: &mut HashSet<&'a str>,
) -> Result<(), Trouble> {
    context.spend()?;
    for child in element.children(context.schema) {
        if let Some(id) = child.text().and_then(|text| text.strip_prefix('#')) {
            let is_uri = uri.is_some_and(|uri| context.schema.is_a(child.shape, uri));
            if child.name == "reference" || is_uri {
                found.insert(id);
            }
        }
        local_references(&child, context, uri, found)?;
    }
    Ok(())
}

/// Whether something in a contained resource refers to `#`.
fn refers_to_container<'a>(
    element: &Element<'a>,
    context: &Context<'a, '_>,
    newer: bool,
) -> Result<bool, Trouble> {
    let schema = context.schema;
    context.spend()?;
    for child in element.children(schema) {
        let refers = child.text() == Some("#") && {
            let is = |name| schema.named(name).is_some_and(|shape| schema.is_a(child.shape, shape));
            is("canonical") || newer && is("uri")
        };
        let reference = child.value.and_then(|value| value.text("reference")) == Some("#");
        if refers || reference || refers_to_container(&child, context, newer)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// ref-1.
pub(super) fn is_contained<'a>(focus: &Element<'a>, context: &Context<'a, '_>) -> bool {
    let Some(reference) = focus.only(context.schema, "reference") else { return true };
    let Some(text) = reference.text() else { return false };
    match text.strip_prefix('#') {
        None => true,
        Some("") => !context.root_resource.same(&context.resource),
        Some(id) => context
            .root_resource
            .child(context.schema, "contained")
            .any(|one| one.value.and_then(|value| value.text("id")) == Some(id)),
    }
}
