//! The least and the greatest that a value of its precision may mean (FHIRPath 2.1 §5.9), and the clock.

use super::{Answer, Machine, Scope};
use crate::item::{Item, Quantity};
use crate::moment::{Moment, Precision};
use crate::syntax::{Call, Function, Node};
use crate::trouble::Trouble;
use rust_decimal::Decimal;
use std::time::{SystemTime, UNIX_EPOCH};

impl<'a> Machine<'a, '_> {
    pub(crate) fn boundary(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<Item<'a>>> {
        if !call.arguments.is_empty() {
            return Err(Trouble::Unsupported);
        }
        let Some(item) = self.only(left, scope)? else { return Ok(None) };
        let low = call.function == Function::LowBoundary;
        let Some(value) = self.system(&item)? else { return Ok(None) };
        Ok(Some(match value {
            Item::Decimal(number) => Item::Decimal(edge(number, low)?),
            Item::Integer(number) => Item::Decimal(edge(Decimal::from(number), low)?),
            Item::Quantity(quantity) => {
                Item::Quantity(Quantity { value: edge(quantity.value, low)?, ..quantity })
            }
            Item::Date(moment) => Item::Date(moment.edge(low, Precision::Day)),
            Item::DateTime(moment) => Item::DateTime(moment.edge(low, Precision::Second)),
            Item::Time(moment) => Item::Time(moment.edge(low, Precision::Second)),
            _ => return Err(Trouble::Types),
        }))
    }

    pub(crate) fn clock(&self, function: Function) -> Option<Item<'a>> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let now = Moment::from_unix(i64::try_from(since.as_secs()).ok()?);
        Some(match function {
            Function::Today => Item::Date(now.cut(Precision::Day)),
            Function::TimeOfDay => Item::Time(now.time_of_day()),
            _ => Item::DateTime(now),
        })
    }
}

/// Half a step of the last digit down or up.
fn edge(number: Decimal, low: bool) -> Answer<Decimal> {
    let half = Decimal::try_new(5, number.scale() + 1).map_err(|_| Trouble::Range)?;
    let moved = if low { number.checked_sub(half) } else { number.checked_add(half) };
    moved.ok_or(Trouble::Range)
}
