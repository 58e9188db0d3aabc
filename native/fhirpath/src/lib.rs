//! FHIRPath (N1, <http://hl7.org/fhirpath/N1/>) with FHIR's additions, over JSON as it was written.
//!
//! An [`Expression`] is compiled once against a schema and shared by threads. Evaluating it streams items from one step to
//! the next, so that `exists()` ends at the first one and nothing is collected that nobody asks for.
//!
//! Where the language and the reference validator differ, invariants need the latter: an empty answer breaks an
//! invariant, `not()` of nothing is nothing, string functions on several strings find nothing, `as()` filters,
//! and primitives of different types are equal if they are written alike.

mod children;
mod context;
mod element;
mod evaluate;
mod item;
mod known;
mod moment;
mod syntax;
mod trouble;

pub use children::{Children, Items};
pub use context::{Context, Profiles, Resolved, Resolver, Terminology};
pub use element::Element;
pub use item::{Item, Quantity};
pub use moment::{Moment, Precision};
pub use syntax::ParseError;
pub use trouble::Trouble;

use caregrid_schema::Schema;
use evaluate::Machine;
use known::Known;
use syntax::Node;

/// An expression, ready for any number of evaluations.
#[derive(Debug)]
pub struct Expression {
    root: Node,
    known: Option<Known>,
}

impl Expression {
    /// Compile a text; the names of types are those of the schema.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if it is not FHIRPath, or too large. Functions that are not known are no error before they are
    /// evaluated.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, ParseError> {
        Ok(Self { root: syntax::parse(text, schema)?, known: Known::of(text) })
    }

    /// Whether an invariant holds for an element. No answer (an empty collection) is "no".
    ///
    /// # Errors
    ///
    /// [`Trouble`] if it cannot be told, which is not the same as "no".
    pub fn holds<'a>(&'a self, focus: Element<'a>, context: &Context<'a, '_>) -> Result<bool, Trouble> {
        match self.known {
            Some(known) => {
                context.begin();
                known.holds(focus, context)
            }
            None => self.holds_by_evaluation(focus, context),
        }
    }

    /// The same without the shortcuts for invariants that are known by their text.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if it cannot be told.
    pub fn holds_by_evaluation<'a>(
        &'a self,
        focus: Element<'a>,
        context: &Context<'a, '_>,
    ) -> Result<bool, Trouble> {
        Ok(Machine::new(context, Item::Element(focus)).truth_of(&self.root)?.unwrap_or(false))
    }

    /// Whether everything in it can be evaluated here, references, value sets and profiles being at hand.
    pub fn is_supported(&self) -> bool {
        self.root.is_supported()
    }

    /// Whether [`Self::holds`] takes a shortcut.
    pub fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// Everything that it finds from an element.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if it cannot be told.
    pub fn evaluate<'a>(
        &'a self,
        focus: Element<'a>,
        context: &Context<'a, '_>,
    ) -> Result<Vec<Item<'a>>, Trouble> {
        Machine::new(context, Item::Element(focus)).items_of(&self.root)
    }
}
