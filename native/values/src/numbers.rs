//! Numbers.

use crate::Primitive;

const NOT_WHOLE: &str = "an integer has digits only, without a point or an exponent";

/// Check a number as JSON wrote it; a decimal may be any.
pub(crate) fn check(primitive: Primitive, digits: &str) -> Result<(), &'static str> {
    match primitive {
        Primitive::Integer => within(digits, i32::MIN.into(), "an integer is from -2147483648 to 2147483647"),
        Primitive::PositiveInt => within(digits, 1, "a positiveInt is from 1 to 2147483647"),
        Primitive::UnsignedInt if digits == "-0" => Err("an unsignedInt has no sign"),
        Primitive::UnsignedInt => within(digits, 0, "an unsignedInt is from 0 to 2147483647"),
        _ => Ok(()),
    }
}

/// An integer64, which JSON writes as a string.
pub(crate) fn integer64(text: &str) -> Result<(), &'static str> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    match plain.then(|| text.parse::<i64>()) {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) => Err("an integer64 has at most 64 bits"),
        None => Err(NOT_WHOLE),
    }
}

fn within(digits: &str, least: i64, beyond: &'static str) -> Result<(), &'static str> {
    if digits.contains(['.', 'e', 'E']) {
        return Err(NOT_WHOLE);
    }
    match digits.parse::<i64>() {
        Ok(number) if number >= least && number <= i32::MAX.into() => Ok(()),
        _ => Err(beyond),
    }
}
