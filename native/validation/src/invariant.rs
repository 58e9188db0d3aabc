//! Invariants: compiled when first met, evaluated for each element that has them.

use crate::issue::Place;
use crate::rules;
use crate::walk::{Defined, Walk};
use caregrid_fhirpath::{Context, Element, Expression, Trouble};
use caregrid_schema::{form, InvariantId, Schema, ShapeId};
use std::sync::OnceLock;

/// What the walk looks at itself: every element has a value or children, and what narratives may hold.
const OF_THE_WALK: [&str; 3] = ["ele-1", "txt-1", "txt-2"];

/// The invariants of a schema.
pub struct Invariants {
    /// By place; `None` inside: not FHIRPath that we understand.
    compiled: Vec<OnceLock<Option<Expression>>>,
    /// Of each shape, those of what it builds on included.
    of_shape: Vec<Vec<InvariantId>>,
}

impl Invariants {
    /// For a schema.
    pub fn new(schema: &Schema) -> Self {
        let compiled = schema.invariants.iter().map(|_| OnceLock::new()).collect();
        let of_shape = (0..schema.shapes.len()).map(|shape| collect(schema, shape as ShapeId)).collect();
        Self { compiled, of_shape }
    }

    /// The invariants of a type.
    pub fn of(&self, shape: ShapeId) -> &[InvariantId] {
        self.of_shape.get(shape as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether one holds for an element.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if that cannot be told.
    pub fn holds<'a>(
        &'a self,
        schema: &Schema,
        id: InvariantId,
        focus: Element<'a>,
        context: &Context<'a, '_>,
    ) -> Result<bool, Trouble> {
        let (Some(slot), Some(invariant)) =
            (self.compiled.get(id as usize), schema.invariants.get(id as usize))
        else {
            return Err(Trouble::Unsupported);
        };
        match slot.get_or_init(|| Expression::parse(&invariant.expression, schema).ok()) {
            Some(expression) => expression.holds(focus, context),
            None => Err(Trouble::Unsupported),
        }
    }
}

/// Whether an invariant is left to the evaluation of FHIRPath.
pub fn is_evaluated(invariant: &form::Invariant) -> bool {
    !OF_THE_WALK.contains(&invariant.key.as_str()) && !invariant.expression.is_empty()
}

fn collect(schema: &Schema, shape: ShapeId) -> Vec<InvariantId> {
    let mut found = Vec::new();
    let mut at = Some(shape);
    while let Some(one) = at {
        let shape = schema.shape(one);
        for id in &shape.invariants {
            let evaluated = schema.invariants.get(*id as usize).is_some_and(is_evaluated);
            if evaluated && !found.contains(id) {
                found.push(*id);
            }
        }
        at = shape.base;
    }
    found
}

impl<'a> Walk<'a, '_> {
    pub(crate) fn invariants(
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
