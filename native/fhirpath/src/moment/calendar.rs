//! The Gregorian calendar, before it was introduced as well (ISO 8601).

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// Days from the first of March of year 0 to 1970.
pub(crate) const EPOCH: i64 = 719_468;

/// How long a month is.
pub(crate) fn days_in(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the first of March of year 0, in the Gregorian calendar.
pub(crate) fn days(year: i32, month: u8, day: u8) -> i64 {
    let (year, month) = (i64::from(year), i64::from(month));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let years = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    years + (153 * month + 2) / 5 + i64::from(day) - 1
}

/// The inverse of [`days`].
pub(crate) fn civil(days: i64) -> (i32, u8, u8) {
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    ((year + era * 400) as i32, month as u8, day as u8)
}
