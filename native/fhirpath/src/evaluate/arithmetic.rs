//! Numbers (FHIRPath §5.7, §6.6), and dates with durations (§6.7).

use super::conversion::to_decimal;
use super::{Answer, Machine, Scope};
use crate::item::{Item, Quantity};
use crate::syntax::{Call, Function, Node, Operator};
use crate::trouble::Trouble;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, MathematicalOps, RoundingStrategy};

impl<'a> Machine<'a, '_> {
    pub(crate) fn calculate(
        &self,
        operator: Operator,
        left: &'a Node,
        right: &'a Node,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<Item<'a>>> {
        let (one, other) = (self.single(left, scope)?, self.single(right, scope)?);
        let (Some(one), Some(other)) = (one, other) else { return Ok(None) };
        let Some((one, other)) = self.system(&one)?.zip(self.system(&other)?) else { return Ok(None) };
        match (one, other) {
            (Item::Integer(one), Item::Integer(other)) => integers(operator, one, other),
            (Item::String(one), Item::String(other)) if operator == Operator::Plus => {
                Ok(Some(Item::String(self.keep(&format!("{one}{other}")))))
            }
            (Item::Quantity(one), Item::Quantity(other)) => quantities(operator, &one, &other),
            (Item::Date(date), Item::Quantity(step)) => {
                moved(operator, &step, |months, nanos| date.plus(months, nanos).map(Item::Date))
            }
            (Item::DateTime(date), Item::Quantity(step)) => {
                moved(operator, &step, |months, nanos| date.plus(months, nanos).map(Item::DateTime))
            }
            (Item::Time(time), Item::Quantity(step)) => {
                moved(operator, &step, |months, nanos| time.turned(months, nanos).map(Item::Time))
            }
            (one, other) if is_number(&one) && is_number(&other) => {
                let (one, other) = (to_decimal(&one), to_decimal(&other));
                let (one, other) = one.zip(other).ok_or(Trouble::Types)?;
                decimals(operator, one, other)
            }
            _ => Err(Trouble::Types),
        }
    }

    pub(crate) fn negative(&self, item: &Item<'a>) -> Answer<Item<'a>> {
        match self.system(item)? {
            Some(Item::Integer(number)) => number.checked_neg().map(Item::Integer).ok_or(Trouble::Range),
            Some(Item::Decimal(number)) => Ok(Item::Decimal(-number)),
            Some(Item::Quantity(quantity)) => {
                Ok(Item::Quantity(Quantity { value: -quantity.value, ..quantity }))
            }
            _ => Err(Trouble::Types),
        }
    }

    pub(crate) fn mathematics(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<Item<'a>>> {
        let Some(item) = self.only(left, scope)? else { return Ok(None) };
        let Some(value) = self.system(&item)? else { return Ok(None) };
        if let (Item::Quantity(quantity), Function::Abs) = (value, call.function) {
            return Ok(Some(Item::Quantity(Quantity { value: quantity.value.abs(), ..quantity })));
        }
        if !is_number(&value) {
            return Err(Trouble::Types);
        }
        let argument = match call.arguments.first() {
            Some(argument) => match self.single(argument, scope)? {
                Some(item) => self.system(&item)?.filter(is_number).map(Some).ok_or(Trouble::Types)?,
                None => return Ok(None),
            },
            None => None,
        };
        compute(call.function, &value, argument.as_ref())
    }
}

fn is_number(item: &Item) -> bool {
    matches!(item, Item::Integer(_) | Item::Decimal(_))
}

fn integers<'a>(operator: Operator, one: i64, other: i64) -> Answer<Option<Item<'a>>> {
    let result = match operator {
        Operator::Plus => one.checked_add(other),
        Operator::Minus => one.checked_sub(other),
        Operator::Times => one.checked_mul(other),
        Operator::Divide => return decimals(operator, Decimal::from(one), Decimal::from(other)),
        _ if other == 0 => return Ok(None),
        Operator::Div => one.checked_div(other),
        _ => one.checked_rem(other),
    };
    result.map(|number| Some(Item::Integer(number))).ok_or(Trouble::Range)
}

fn decimals<'a>(operator: Operator, one: Decimal, other: Decimal) -> Answer<Option<Item<'a>>> {
    let divides = matches!(operator, Operator::Divide | Operator::Div | Operator::Mod);
    if divides && other.is_zero() {
        return Ok(None);
    }
    let result = match operator {
        Operator::Plus => one.checked_add(other),
        Operator::Minus => one.checked_sub(other),
        Operator::Times => one.checked_mul(other),
        Operator::Divide => one.checked_div(other).map(|quotient| quotient.normalize()),
        Operator::Div => {
            let whole = one.checked_div(other).and_then(|quotient| quotient.trunc().to_i64());
            return whole.map(|whole| Some(Item::Integer(whole))).ok_or(Trouble::Range);
        }
        _ => one.checked_rem(other),
    };
    result.map(|number| Some(Item::Decimal(number))).ok_or(Trouble::Range)
}

fn quantities<'a>(operator: Operator, one: &Quantity<'a>, other: &Quantity<'a>) -> Answer<Option<Item<'a>>> {
    let value = match operator {
        Operator::Plus if one.unit == other.unit => one.value.checked_add(other.value),
        Operator::Minus if one.unit == other.unit => one.value.checked_sub(other.value),
        _ => return Err(Trouble::Unsupported),
    };
    value.map(|value| Some(Item::Quantity(Quantity { value, unit: one.unit }))).ok_or(Trouble::Range)
}

/// A date or time moved by a duration: by months, or by nanoseconds.
fn moved<'a>(
    operator: Operator,
    step: &Quantity,
    go: impl FnOnce(i64, i128) -> Option<Item<'a>>,
) -> Answer<Option<Item<'a>>> {
    let size = match operator {
        Operator::Plus => step.value,
        Operator::Minus => -step.value,
        _ => return Err(Trouble::Types),
    };
    let whole = || size.trunc().to_i64().ok_or(Trouble::Range);
    let nanos = |unit: i128| -> Answer<(i64, i128)> { Ok((0, i128::from(whole()?) * unit * 1_000_000)) };
    let (months, nanos) = match step.unit {
        "year" | "years" => (whole()?.checked_mul(12).ok_or(Trouble::Range)?, 0),
        "month" | "months" => (whole()?, 0),
        "week" | "weeks" => nanos(604_800_000)?,
        "day" | "days" => nanos(86_400_000)?,
        "hour" | "hours" => nanos(3_600_000)?,
        "minute" | "minutes" => nanos(60_000)?,
        "second" | "seconds" | "s" => nanos(1_000)?,
        "millisecond" | "milliseconds" | "ms" => nanos(1)?,
        _ => return Err(Trouble::Unsupported),
    };
    Ok(go(months, nanos))
}

fn compute<'a>(
    function: Function,
    value: &Item<'a>,
    argument: Option<&Item<'a>>,
) -> Answer<Option<Item<'a>>> {
    let number = to_decimal(value).ok_or(Trouble::Types)?;
    let whole =
        |number: Decimal| number.to_i64().map(|number| Some(Item::Integer(number))).ok_or(Trouble::Range);
    let argument = argument.and_then(to_decimal);
    let result = match function {
        Function::Abs => match value {
            Item::Integer(_) => return whole(number.abs()),
            _ => Some(number.abs()),
        },
        Function::Ceiling => return whole(number.ceil()),
        Function::Floor => return whole(number.floor()),
        Function::Truncate => return whole(number.trunc()),
        Function::Round => return round(number, argument),
        Function::Exp => return number.checked_exp().map(|e| Some(Item::Decimal(e))).ok_or(Trouble::Range),
        Function::Sqrt => number.sqrt(),
        Function::Ln => number.checked_ln(),
        Function::Log => argument.and_then(|base| number.checked_ln()?.checked_div(base.checked_ln()?)),
        Function::Power => match argument.and_then(|exponent| number.checked_powd(exponent)) {
            Some(power) if matches!(value, Item::Integer(_)) && power.is_integer() => return whole(power),
            power => power,
        },
        _ => return Err(Trouble::Unsupported),
    };
    Ok(result.map(Item::Decimal))
}

fn round<'a>(number: Decimal, digits: Option<Decimal>) -> Answer<Option<Item<'a>>> {
    let digits = match digits {
        Some(digits) => digits.to_u32().ok_or(Trouble::Range)?,
        None => 0,
    };
    Ok(Some(Item::Decimal(number.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero))))
}
