//! The least and the greatest that a value of its precision may mean (FHIRPath 2.1 §5.9), and the clock.

use super::{Answer, Machine, Scope};
use crate::item::{Item, Quantity};
use crate::moment::{Moment, Precision};
use crate::syntax::{Call, Function, Node};
use crate::trouble::Trouble;
use rust_decimal::{Decimal, RoundingStrategy};
use std::time::{SystemTime, UNIX_EPOCH};

impl<'a> Machine<'a, '_> {
    pub(crate) fn boundary(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<Item<'a>>> {
        let Some(item) = self.only(left, scope)? else { return Ok(None) };
        let low = call.function == Function::LowBoundary;
        let Some(value) = self.system(&item)? else { return Ok(None) };
        if let Some(argument) = call.arguments.first() {
            let Some(digits) = self.single(argument, scope)? else { return Ok(None) };
            let Some(Item::Integer(digits)) = self.system(&digits)? else { return Err(Trouble::Types) };
            return edge_of(value, low, u32::try_from(digits).ok());
        }
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

/// The edge in so many digits: behind a number's point, or of a date or time from the year or the hour on. Of digits
/// that no value has there is none.
fn edge_of(value: Item<'_>, low: bool, digits: Option<u32>) -> Answer<Option<Item<'_>>> {
    let Some(digits) = digits else { return Ok(None) };
    Ok(match value {
        Item::Decimal(number) => cut(edge(number, low)?, low, digits).map(Item::Decimal),
        Item::Integer(number) => cut(edge(Decimal::from(number), low)?, low, digits).map(Item::Decimal),
        Item::Quantity(quantity) => cut(edge(quantity.value, low)?, low, digits)
            .map(|value| Item::Quantity(Quantity { value, ..quantity })),
        Item::Date(moment) => of_date(digits)
            .filter(|precision| *precision <= Precision::Day)
            .map(|precision| Item::Date(moment.edge(low, precision))),
        Item::DateTime(moment) => {
            of_date(digits).or(of_time(digits.saturating_sub(DIGITS_OF_A_DAY))).map(|precision| {
                Item::DateTime(moment_at(moment, low, precision, digits - DIGITS_OF_A_DAY.min(digits)))
            })
        }
        Item::Time(moment) => {
            of_time(digits).map(|precision| Item::Time(moment_at(moment, low, precision, digits)))
        }
        _ => return Err(Trouble::Types),
    })
}

/// Year, month and day.
const DIGITS_OF_A_DAY: u32 = 8;

/// Hour, minute and second; three more are milliseconds.
const DIGITS_OF_A_SECOND: u32 = 6;

/// Digits that a decimal may have.
const MOST_DIGITS: u32 = 28;

fn of_date(digits: u32) -> Option<Precision> {
    match digits {
        4 => Some(Precision::Year),
        6 => Some(Precision::Month),
        DIGITS_OF_A_DAY => Some(Precision::Day),
        _ => None,
    }
}

fn of_time(digits: u32) -> Option<Precision> {
    match digits {
        2 => Some(Precision::Hour),
        4 => Some(Precision::Minute),
        DIGITS_OF_A_SECOND | 9 => Some(Precision::Second),
        _ => None,
    }
}

fn moment_at(moment: Moment, low: bool, precision: Precision, digits: u32) -> Moment {
    let edge = moment.edge(low, precision);
    Moment { nanos: if digits == DIGITS_OF_A_SECOND { 0 } else { edge.nanos }, ..edge }
}

/// A number in so many digits, away from what lies between the edges.
fn cut(number: Decimal, low: bool, digits: u32) -> Option<Decimal> {
    if digits > MOST_DIGITS {
        return None;
    }
    let strategy =
        if low { RoundingStrategy::ToNegativeInfinity } else { RoundingStrategy::ToPositiveInfinity };
    let mut cut = number.round_dp_with_strategy(digits, strategy);
    cut.rescale(digits);
    (cut.scale() == digits).then_some(cut)
}

/// Half a step of the last digit down or up.
fn edge(number: Decimal, low: bool) -> Answer<Decimal> {
    let half = Decimal::try_new(5, number.scale() + 1).map_err(|_| Trouble::Range)?;
    let moved = if low { number.checked_sub(half) } else { number.checked_add(half) };
    moved.ok_or(Trouble::Range)
}
