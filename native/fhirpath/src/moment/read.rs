//! From text.

use super::{days_in, Moment, Precision};

impl Moment {
    pub(super) fn read_date(&mut self, text: &str) -> Option<()> {
        let mut parts = text.split('-');
        self.year = number(parts.next()?, 4)?;
        if let Some(month) = parts.next() {
            self.month = number(month, 2).filter(|month| (1..=12).contains(month))? as u8;
            self.precision = Precision::Month;
        }
        if let Some(day) = parts.next() {
            let last = i32::from(days_in(self.year, self.month));
            self.day = number(day, 2).filter(|day| (1..=last).contains(day))? as u8;
            self.precision = Precision::Day;
        }
        parts.next().is_none().then_some(())
    }

    /// Take the offset from the end; what is left is the clock.
    pub(super) fn read_offset<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        if let Some(clock) = text.strip_suffix('Z') {
            self.offset = Some(0);
            return Some(clock);
        }
        let Some(sign) = text.find(['+', '-']) else { return Some(text) };
        let (clock, offset) = text.split_at(sign);
        let (hours, minutes) = offset.get(1..)?.split_once(':')?;
        let size = number(hours, 2)? * 60 + number(minutes, 2).filter(|minutes| *minutes < 60)?;
        let east = offset.starts_with('+');
        self.offset = Some(if east { size } else { -size } as i16);
        Some(clock)
    }

    pub(super) fn read_clock(&mut self, text: &str) -> Option<()> {
        let (clock, fraction) = text.split_once('.').map_or((text, None), |(c, f)| (c, Some(f)));
        let mut parts = clock.split(':');
        self.hour = number(parts.next()?, 2).filter(|hour| *hour <= 24)? as u8;
        self.precision = Precision::Hour;
        if let Some(minute) = parts.next() {
            self.minute = number(minute, 2).filter(|minute| *minute < 60)? as u8;
            self.precision = Precision::Minute;
        }
        if let Some(second) = parts.next() {
            self.second = number(second, 2).filter(|second| *second <= 60)? as u8;
            self.precision = Precision::Second;
        }
        if let Some(fraction) = fraction {
            self.nanos = nanos(fraction).filter(|_| self.precision == Precision::Second)?;
        }
        parts.next().is_none().then_some(())
    }
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i32> {
    let right = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok()).flatten()
}

fn nanos(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(digits.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}
