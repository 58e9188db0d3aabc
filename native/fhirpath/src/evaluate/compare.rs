//! Equality, equivalence and order (FHIRPath §6.1, §6.2).

use super::conversion::to_decimal;
use super::{Answer, Machine, Scope};
use crate::element::Element;
use crate::item::{Item, Quantity};
use crate::syntax::{Call, Node, Operator};
use crate::trouble::Trouble;
use caregrid_json::{Json, Kind};
use rust_decimal::Decimal;
use std::cmp::Ordering;

impl<'a> Machine<'a, '_> {
    /// `=`.
    pub(crate) fn equals(
        &self,
        left: &'a Node,
        right: &'a Node,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<bool>> {
        let (Some(one), more) = self.probe(left, scope)? else { return Ok(None) };
        let (Some(other), others) = self.probe(right, scope)? else { return Ok(None) };
        match (more, others) {
            (false, false) => self.equal(&one, &other),
            (true, true) => self.equal_lists(&self.list(left, scope)?, &self.list(right, scope)?),
            _ => Ok(Some(false)),
        }
    }

    fn equal_lists(&self, left: &[Item<'a>], right: &[Item<'a>]) -> Answer<Option<bool>> {
        if left.len() != right.len() {
            return Ok(Some(false));
        }
        for (one, other) in left.iter().zip(right) {
            let equal = self.equal(one, other)?;
            if equal != Some(true) {
                return Ok(equal);
            }
        }
        Ok(Some(true))
    }

    /// Whether two items are equal; `None` if it is not known.
    pub(crate) fn equal(&self, left: &Item<'a>, right: &Item<'a>) -> Answer<Option<bool>> {
        self.context.spend()?;
        if let (Item::Element(one), Item::Element(other)) = (left, right) {
            if one.same(other) {
                return Ok(Some(true));
            }
        }
        match (self.system(left)?, self.system(right)?) {
            (Some(one), Some(other)) => self.equal_values(&one, &other),
            (None, None) => match (left, right) {
                (Item::Element(one), Item::Element(other)) => self.equal_elements(one, other).map(Some),
                _ => Ok(Some(false)),
            },
            _ => Ok(Some(false)),
        }
    }

    fn equal_values(&self, left: &Item<'a>, right: &Item<'a>) -> Answer<Option<bool>> {
        Ok(match (left, right) {
            (Item::String(one), Item::String(other)) => Some(one == other),
            (Item::Boolean(one), Item::Boolean(other)) => Some(one == other),
            (Item::Integer(_) | Item::Decimal(_), Item::Integer(_) | Item::Decimal(_)) => {
                Some(to_decimal(left) == to_decimal(right))
            }
            (Item::Date(one) | Item::DateTime(one), Item::Date(other) | Item::DateTime(other))
            | (Item::Time(one), Item::Time(other)) => {
                one.compare(other).map(|order| order == Ordering::Equal)
            }
            (Item::Quantity(one), Item::Quantity(other)) => {
                Some(one.value == other.value && same_unit(one, other)?)
            }
            // The reference validator compares what is written.
            _ => Some(self.text(left) == self.text(right)),
        })
    }

    fn equal_elements(&self, left: &Element<'a>, right: &Element<'a>) -> Answer<bool> {
        Ok(self.equal_json(left.value, right.value)? && self.equal_json(left.shadow, right.shadow)?)
    }

    fn equal_json(&self, left: Option<&Json<'a>>, right: Option<&Json<'a>>) -> Answer<bool> {
        self.context.spend()?;
        let (Some(left), Some(right)) = (left, right) else {
            return Ok(left.is_none() && right.is_none());
        };
        match (left.kind, right.kind) {
            (Kind::Object(one), Kind::Object(other)) if one.len() == other.len() => {
                every(one, |member| self.equal_json(Some(&member.value), right.get(member.name)))
            }
            (Kind::Array(one), Kind::Array(other)) if one.len() == other.len() => {
                let pairs: Vec<_> = one.iter().zip(other).collect();
                every(&pairs, |(one, other)| self.equal_json(Some(one), Some(other)))
            }
            (Kind::String(one), Kind::String(other)) => Ok(one == other),
            (Kind::Number(one), Kind::Number(other)) => Ok(one == other || same_number(one, other)),
            (Kind::Bool(one), Kind::Bool(other)) => Ok(one == other),
            (Kind::Null, Kind::Null) => Ok(true),
            _ => Ok(false),
        }
    }

    /// `~`: texts without regard to case and blanks, numbers to the lesser precision, lists in any order.
    pub(crate) fn equivalent(&self, left: &'a Node, right: &'a Node, scope: &Scope<'a, '_>) -> Answer<bool> {
        let (left, mut right) = (self.list(left, scope)?, self.list(right, scope)?);
        if left.len() != right.len() {
            return Ok(false);
        }
        for one in &left {
            let mut found = None;
            for (place, other) in right.iter().enumerate() {
                if self.alike(one, other)? {
                    found = Some(place);
                    break;
                }
            }
            let Some(place) = found else { return Ok(false) };
            right.swap_remove(place);
        }
        Ok(true)
    }

    fn alike(&self, left: &Item<'a>, right: &Item<'a>) -> Answer<bool> {
        self.context.spend()?;
        match (self.system(left)?, self.system(right)?) {
            (Some(Item::String(one)), Some(Item::String(other))) => Ok(folded(one) == folded(other)),
            (
                Some(one @ (Item::Decimal(_) | Item::Integer(_))),
                Some(other @ (Item::Decimal(_) | Item::Integer(_))),
            ) => Ok(to_decimal(&one).zip(to_decimal(&other)).is_some_and(|(one, other)| roughly(one, other))),
            (Some(Item::Quantity(one)), Some(Item::Quantity(other))) => {
                Ok(roughly(one.value, other.value) && same_unit(&one, &other)?)
            }
            _ => Ok(self.equal(left, right)? == Some(true)),
        }
    }

    /// `<` and its like.
    pub(crate) fn orders(
        &self,
        operator: Operator,
        left: &'a Node,
        right: &'a Node,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<bool>> {
        let (one, other) = (self.single(left, scope)?, self.single(right, scope)?);
        let (Some(one), Some(other)) = (one, other) else { return Ok(None) };
        let Some((one, other)) = self.system(&one)?.zip(self.system(&other)?) else { return Ok(None) };
        Ok(order(&one, &other)?.map(|order| match operator {
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            _ => order.is_ge(),
        }))
    }

    pub(crate) fn comparable(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<bool>> {
        let argument = call.arguments.first().ok_or(Trouble::Unsupported)?;
        let (one, other) = (self.only(left, scope)?, self.single(argument, scope)?);
        let (Some(one), Some(other)) = (one, other) else { return Ok(None) };
        match self.system(&one)?.zip(self.system(&other)?) {
            Some((Item::Quantity(one), Item::Quantity(other))) => same_unit(&one, &other).map(Some),
            Some((one, other)) => Ok(Some(order(&one, &other).is_ok())),
            None => Ok(None),
        }
    }
}

fn every<T>(items: &[T], mut holds: impl FnMut(&T) -> Answer<bool>) -> Answer<bool> {
    for item in items {
        if !holds(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn order(left: &Item, right: &Item) -> Answer<Option<Ordering>> {
    match (left, right) {
        (Item::String(one), Item::String(other)) => Ok(Some(one.cmp(other))),
        (Item::Integer(one), Item::Integer(other)) => Ok(Some(one.cmp(other))),
        (Item::Integer(_) | Item::Decimal(_), Item::Integer(_) | Item::Decimal(_)) => {
            Ok(to_decimal(left).partial_cmp(&to_decimal(right)))
        }
        (Item::Date(one) | Item::DateTime(one), Item::Date(other) | Item::DateTime(other))
        | (Item::Time(one), Item::Time(other)) => Ok(one.compare(other)),
        (Item::Quantity(one), Item::Quantity(other)) => match same_unit(one, other)? {
            true => Ok(Some(one.value.cmp(&other.value))),
            false => Err(Trouble::Unsupported),
        },
        (Item::Quantity(quantity), Item::Integer(_) | Item::Decimal(_)) => {
            Ok(bare(quantity)?.partial_cmp(&to_decimal(right)))
        }
        (Item::Integer(_) | Item::Decimal(_), Item::Quantity(quantity)) => {
            Ok(to_decimal(left).partial_cmp(&bare(quantity)?))
        }
        _ => Err(Trouble::Types),
    }
}

/// The number of a quantity whose unit is one.
fn bare(quantity: &Quantity) -> Answer<Option<Decimal>> {
    match quantity.unit {
        "" | "1" => Ok(Some(quantity.value)),
        _ => Err(Trouble::Types),
    }
}

/// Whether two quantities can be compared by their numbers. Units that would have to be converted are trouble.
fn same_unit(left: &Quantity, right: &Quantity) -> Answer<bool> {
    let calendar = |unit: &str| -> Option<&'static str> {
        Some(match unit.strip_suffix('s').filter(|unit| unit.len() > 1).unwrap_or(unit) {
            "second" => "s",
            "millisecond" => "ms",
            "year" => "year",
            "month" => "month",
            "week" => "week",
            "day" => "day",
            "hour" => "hour",
            "minute" => "minute",
            _ => return None,
        })
    };
    let known = |unit| calendar(unit).unwrap_or(unit);
    match (left.unit, right.unit) {
        (one, other) if one == other => Ok(true),
        (one, other) if calendar(one).is_some() && calendar(one) == calendar(other) => Ok(true),
        (one, other) if known(one) == known(other) => Ok(true),
        ("", "1") | ("1", "") => Ok(true),
        ("" | "1", _) | (_, "" | "1") => Ok(false),
        _ => Err(Trouble::Unsupported),
    }
}

fn same_number(left: &str, right: &str) -> bool {
    let number = |text| super::convert::decimal(text).ok();
    number(left).zip(number(right)).is_some_and(|(left, right)| left == right)
}

fn roughly(left: Decimal, right: Decimal) -> bool {
    let digits = left.normalize().scale().min(right.normalize().scale());
    left.round_dp(digits) == right.round_dp(digits)
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
