//! Which function does what.

use super::{Answer, Flow, Machine, Scope, Sink};
use crate::item::Item;
use crate::syntax::{Call, Function as F, Node};
use crate::trouble::Trouble;

impl<'a> Machine<'a, '_> {
    pub(crate) fn call(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        if let Some(truth) = self.test(left, call, scope) {
            return truth?.map(Item::Boolean).map_or(Ok(Flow::More), sink);
        }
        match call.function {
            F::Where
            | F::Select
            | F::Repeat
            | F::OfType
            | F::As
            | F::Children
            | F::Descendants
            | F::Trace => self.project(left, call, scope, sink),
            F::Single | F::First | F::Last | F::Tail | F::Skip | F::Take | F::Iif | F::Aggregate => {
                self.pick(left, call, scope, sink)
            }
            F::Distinct | F::Intersect | F::Exclude | F::Union | F::Combine => {
                self.combine(left, call, scope, sink)
            }
            F::Extension | F::GetValue | F::Resolve => self.fhir(left, call, scope, sink),
            F::ToChars | F::Split => self.pieces(left, call, scope, sink),
            _ => self.value_of(left, call, scope)?.map_or(Ok(Flow::More), sink),
        }
    }

    /// What functions with at most one result find.
    fn value_of(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<Item<'a>>> {
        match call.function {
            F::Count => self.count(left, scope).map(|count| Some(Item::Integer(count))),
            F::Now | F::Today | F::TimeOfDay => Ok(self.clock(call.function)),
            F::LowBoundary | F::HighBoundary => self.boundary(left, call, scope),
            F::ToBoolean
            | F::ToInteger
            | F::ToDecimal
            | F::ToText
            | F::ToDate
            | F::ToDateTime
            | F::ToTime
            | F::ToQuantity => {
                let item = self.only(left, scope)?;
                item.map_or(Ok(None), |item| self.convert(&item, call.function))
            }
            F::Abs
            | F::Ceiling
            | F::Exp
            | F::Floor
            | F::Ln
            | F::Log
            | F::Power
            | F::Round
            | F::Sqrt
            | F::Truncate => self.mathematics(left, call, scope),
            F::Join => self.join(left, call, scope),
            F::Unknown => Err(Trouble::Unsupported),
            _ => self.string(left, call, scope),
        }
    }

    fn count(&self, left: Option<&'a Node>, scope: &Scope<'a, '_>) -> Answer<i64> {
        let mut count = 0;
        self.input(left, scope, &mut |_| {
            count += 1;
            Ok(Flow::More)
        })?;
        Ok(count)
    }
}
