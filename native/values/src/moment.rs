//! Dates and times (<https://hl7.org/fhir/R4/datatypes.html#dateTime>).

const DATE: &str = "a date is written YYYY, YYYY-MM or YYYY-MM-DD, and exists";
const DATE_TIME: &str = "a dateTime is a date, or YYYY-MM-DDThh:mm:ss and a zone, Z or +hh:mm";
const INSTANT: &str = "an instant is written YYYY-MM-DDThh:mm:ss and a zone, Z or +hh:mm";
const TIME: &str = "a time is written hh:mm:ss, without a zone";

pub(crate) fn date(text: &str) -> Result<(), &'static str> {
    is_date(text).then_some(()).ok_or(DATE)
}

pub(crate) fn date_time(text: &str) -> Result<(), &'static str> {
    let sound = match text.split_once('T') {
        Some((date, rest)) => is_day(date) && is_zoned_time(rest),
        None => is_date(text),
    };
    sound.then_some(()).ok_or(DATE_TIME)
}

pub(crate) fn instant(text: &str) -> Result<(), &'static str> {
    let sound = text.split_once('T').is_some_and(|(date, rest)| is_day(date) && is_zoned_time(rest));
    sound.then_some(()).ok_or(INSTANT)
}

pub(crate) fn time(text: &str) -> Result<(), &'static str> {
    is_time(text).then_some(()).ok_or(TIME)
}

fn is_date(text: &str) -> bool {
    match text.len() {
        4 => number(text, 4).is_some_and(|year| year > 0),
        7 => year_and_month(text).is_some(),
        _ => is_day(text),
    }
}

fn is_day(text: &str) -> bool {
    let (Some(start), Some(rest)) = (text.get(..7), text.get(7..)) else { return false };
    let day = rest.strip_prefix('-').and_then(|day| number(day, 2));
    match (year_and_month(start), day) {
        (Some((year, month)), Some(day)) => (1..=days(year, month)).contains(&day),
        _ => false,
    }
}

fn year_and_month(text: &str) -> Option<(u32, u32)> {
    let (year, month) = text.split_once('-')?;
    let (year, month) = (number(year, 4)?, number(month, 2)?);
    (year > 0 && (1..=12).contains(&month)).then_some((year, month))
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_zoned_time(text: &str) -> bool {
    if let Some(time) = text.strip_suffix('Z') {
        return is_time(time);
    }
    let Some(zone) = text.rfind(['+', '-']) else { return false };
    is_time(&text[..zone]) && is_offset(&text[zone + 1..])
}

fn is_offset(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':') else { return false };
    match (number(hours, 2), number(minutes, 2)) {
        (Some(hours), Some(minutes)) => (hours <= 13 && minutes <= 59) || (hours == 14 && minutes == 0),
        _ => false,
    }
}

/// Leap seconds are allowed.
fn is_time(text: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut parts = whole.split(':').map(|part| number(part, 2));
    let sound = matches!(
        (parts.next(), parts.next(), parts.next(), parts.next()),
        (Some(Some(0..=23)), Some(Some(0..=59)), Some(Some(0..=60)), None)
    );
    sound
        && fraction
            .is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn number(text: &str, length: usize) -> Option<u32> {
    let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
