//! Conversions between FHIRPath's own types (FHIRPath §5.5).

use super::{Answer, Machine, Scope};
use crate::item::{Item, Quantity};
use crate::moment::{Moment, Precision};
use crate::syntax::{is_calendar_unit, Function, Node};
use rust_decimal::Decimal;

impl<'a> Machine<'a, '_> {
    pub(crate) fn converts(
        &self,
        left: Option<&'a Node>,
        function: Function,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<bool>> {
        let Some(item) = self.only(left, scope)? else { return Ok(None) };
        let converted = self.convert(&item, conversion(function));
        Ok(Some(matches!(converted, Ok(Some(_)))))
    }

    pub(crate) fn convert(&self, item: &Item<'a>, function: Function) -> Answer<Option<Item<'a>>> {
        if function == Function::ToText {
            return Ok(self.text(item).map(Item::String));
        }
        let Some(value) = self.system(item)? else { return Ok(None) };
        Ok(match function {
            Function::ToBoolean => to_boolean(&value).map(Item::Boolean),
            Function::ToInteger => to_integer(&value).map(Item::Integer),
            Function::ToDecimal => to_decimal(&value).map(Item::Decimal),
            Function::ToDate => to_date_time(&value).map(|moment| Item::Date(moment.cut(Precision::Day))),
            Function::ToDateTime => to_date_time(&value).map(Item::DateTime),
            Function::ToTime => to_time(&value).map(Item::Time),
            Function::ToQuantity => to_quantity(&value).map(Item::Quantity),
            _ => None,
        })
    }
}

fn conversion(test: Function) -> Function {
    match test {
        Function::ConvertsToBoolean => Function::ToBoolean,
        Function::ConvertsToInteger => Function::ToInteger,
        Function::ConvertsToDecimal => Function::ToDecimal,
        Function::ConvertsToDate => Function::ToDate,
        Function::ConvertsToDateTime => Function::ToDateTime,
        Function::ConvertsToTime => Function::ToTime,
        Function::ConvertsToQuantity => Function::ToQuantity,
        _ => Function::ToText,
    }
}

fn to_boolean(value: &Item) -> Option<bool> {
    let word = match value {
        Item::Boolean(truth) => return Some(*truth),
        Item::Integer(0) => return Some(false),
        Item::Integer(1) => return Some(true),
        Item::Decimal(number) if number.is_zero() => return Some(false),
        Item::Decimal(number) if *number == Decimal::ONE => return Some(true),
        Item::String(text) => text.to_ascii_lowercase(),
        _ => return None,
    };
    match word.as_str() {
        "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
        "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
        _ => None,
    }
}

fn to_integer(value: &Item) -> Option<i64> {
    match value {
        Item::Integer(number) => Some(*number),
        Item::Boolean(truth) => Some(i64::from(*truth)),
        Item::String(text) => text.parse::<i32>().ok().map(i64::from),
        _ => None,
    }
}

pub(crate) fn to_decimal(value: &Item) -> Option<Decimal> {
    match value {
        Item::Integer(number) => Some(Decimal::from(*number)),
        Item::Decimal(number) => Some(*number),
        Item::Boolean(truth) => Some(Decimal::from(u8::from(*truth))),
        Item::String(text) if !text.contains('_') => text.parse().ok(),
        _ => None,
    }
}

fn to_date_time(value: &Item) -> Option<Moment> {
    match value {
        Item::Date(moment) | Item::DateTime(moment) => Some(*moment),
        Item::String(text) => Moment::date_time(text),
        _ => None,
    }
}

fn to_time(value: &Item) -> Option<Moment> {
    match value {
        Item::Time(moment) => Some(*moment),
        Item::String(text) => Moment::time(text),
        _ => None,
    }
}

fn to_quantity<'a>(value: &Item<'a>) -> Option<Quantity<'a>> {
    match value {
        Item::Quantity(quantity) => Some(*quantity),
        Item::String(text) => quantity_text(text),
        _ => to_decimal(value).map(|value| Quantity { value, unit: "1" }),
    }
}

/// `4 days`, `10 'mg'`, `4.5` (FHIRPath §5.5.7).
fn quantity_text(text: &str) -> Option<Quantity<'_>> {
    let end = text.find([' ', '\'']).unwrap_or(text.len());
    let (number, unit) = (text.get(..end)?, text.get(end..)?.trim());
    let value = to_decimal(&Item::String(number))?;
    let quoted = unit.strip_prefix('\'').and_then(|unit| unit.strip_suffix('\''));
    match (unit, quoted) {
        ("", _) => Some(Quantity { value, unit: "1" }),
        (_, Some(unit)) if !unit.is_empty() => Some(Quantity { value, unit }),
        _ if is_calendar_unit(unit) => Some(Quantity { value, unit }),
        _ => None,
    }
}
