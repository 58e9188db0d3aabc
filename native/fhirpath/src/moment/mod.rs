//! Dates and times with the precision they were written with (FHIRPath §5.5.8, §6.2; FHIR date, dateTime, instant, time).

mod calendar;
mod read;
mod write;

use calendar::{civil, days, days_in, DAY, EPOCH};
use std::cmp::Ordering;

/// How precisely a moment is known. Seconds and their fraction are one step (FHIRPath §6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A date, a dateTime or a time of day. What lies beyond the precision has its lowest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// 0 to 9999; of a time 0.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 24.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
    /// Below a second.
    pub nanos: u32,
    /// How much of it was written.
    pub precision: Precision,
    /// Minutes east of Greenwich, if written.
    pub offset: Option<i16>,
}

impl Moment {
    const ORIGIN: Self = Self {
        year: 0,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        precision: Precision::Year,
        offset: None,
    };

    /// A date or dateTime, `2015`, `2015-02`, `2015-02-04`, `2015-02-04T14:34:28.123+01:00`; `None` if it is not one.
    pub fn date_time(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
        let mut moment = Self::ORIGIN;
        moment.read_date(date)?;
        match time {
            Some("") | None => Some(moment),
            Some(time) => {
                let clock = moment.read_offset(time)?;
                moment.read_clock(clock)?;
                Some(moment)
            }
        }
    }

    /// A time of day, `14`, `14:34`, `14:34:28.123`; `None` if it is not one.
    pub fn time(text: &str) -> Option<Self> {
        let mut moment = Self::ORIGIN;
        moment.read_clock(text)?;
        Some(moment)
    }

    /// From seconds since 1970, in UTC.
    pub fn from_unix(seconds: i64) -> Self {
        let mut moment = Self { precision: Precision::Second, offset: Some(0), ..Self::ORIGIN };
        moment.set_seconds(seconds.saturating_add(EPOCH * DAY));
        moment
    }

    /// The same with less precision.
    pub fn cut(self, precision: Precision) -> Self {
        let cut = self.precision.min(precision);
        let keep = |step: Precision, value: u8, lowest: u8| if cut >= step { value } else { lowest };
        Self {
            month: keep(Precision::Month, self.month, 1),
            day: keep(Precision::Day, self.day, 1),
            hour: keep(Precision::Hour, self.hour, 0),
            minute: keep(Precision::Minute, self.minute, 0),
            second: keep(Precision::Second, self.second, 0),
            nanos: if cut == Precision::Second { self.nanos } else { 0 },
            offset: if cut > Precision::Day { self.offset } else { None },
            precision: cut,
            ..self
        }
    }

    /// Which is earlier; `None` if they agree as far as both are known and one is known further.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        let (left, right) = match (self.offset, other.offset) {
            (Some(_), Some(_)) => (self.in_utc(), other.in_utc()),
            _ => (*self, *other),
        };
        let common = left.precision.min(right.precision);
        match left.cut(common).parts().cmp(&right.cut(common).parts()) {
            Ordering::Equal if left.precision != right.precision => None,
            order => Some(order),
        }
    }

    fn parts(&self) -> [i64; 7] {
        let small = [self.month, self.day, self.hour, self.minute, self.second].map(i64::from);
        [i64::from(self.year), small[0], small[1], small[2], small[3], small[4], i64::from(self.nanos)]
    }

    fn in_utc(&self) -> Self {
        let Some(offset) = self.offset else { return *self };
        let mut moved = *self;
        moved.set_seconds(self.seconds() - i64::from(offset) * 60);
        // A leap second stays one.
        moved.second = self.second;
        moved.offset = Some(0);
        moved
    }

    /// Seconds since the first of March of year 0, leap seconds left out.
    pub(crate) fn seconds(&self) -> i64 {
        let clock =
            i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second.min(59));
        days(self.year, self.month, self.day) * DAY + clock
    }

    pub(crate) fn set_seconds(&mut self, seconds: i64) {
        let (day, clock) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        (self.year, self.month, self.day) = civil(day);
        self.hour = (clock / 3600) as u8;
        self.minute = (clock / 60 % 60) as u8;
        self.second = (clock % 60) as u8;
    }

    /// So many months and nanoseconds later (FHIRPath §6.7); `None` beyond the calendar.
    pub(crate) fn plus(self, months: i64, nanos: i128) -> Option<Self> {
        let moved = self.plus_months(months)?.plus_nanos(nanos)?;
        (0..=9999).contains(&moved.year).then(|| moved.cut(self.precision))
    }

    fn plus_months(mut self, months: i64) -> Option<Self> {
        let month = (i64::from(self.year) * 12 + i64::from(self.month) - 1).checked_add(months)?;
        self.year = i32::try_from(month.div_euclid(12)).ok()?;
        self.month = month.rem_euclid(12) as u8 + 1;
        self.day = self.day.min(days_in(self.year, self.month));
        Some(self)
    }

    fn plus_nanos(mut self, nanos: i128) -> Option<Self> {
        let total = i128::from(self.seconds()) * NANOS + i128::from(self.nanos) + nanos;
        let seconds = i64::try_from(total.div_euclid(NANOS)).ok()?;
        if !(-YEARS..=YEARS).contains(&seconds) {
            return None;
        }
        self.set_seconds(seconds);
        self.nanos = total.rem_euclid(NANOS) as u32;
        Some(self)
    }

    /// A time of day so many nanoseconds later, past midnight if need be.
    pub(crate) fn turned(self, months: i64, nanos: i128) -> Option<Self> {
        let moved = self.plus_nanos(nanos.rem_euclid(i128::from(DAY) * NANOS))?;
        (months == 0).then(|| Self { year: 0, month: 1, day: 1, ..moved.cut(self.precision) })
    }

    /// The earliest or latest moment that it may mean, down to a precision.
    pub(crate) fn edge(self, low: bool, precision: Precision) -> Self {
        let mut edge = Self { precision, ..self };
        if !low {
            let high = |step: Precision, value: u8, highest: u8| {
                if self.precision >= step {
                    value
                } else {
                    highest
                }
            };
            edge.month = high(Precision::Month, self.month, 12);
            edge.day = high(Precision::Day, self.day, days_in(self.year, edge.month));
            edge.hour = high(Precision::Hour, self.hour, 23);
            edge.minute = high(Precision::Minute, self.minute, 59);
            edge.second = high(Precision::Second, self.second, 59);
            edge.nanos = if self.precision == Precision::Second { self.nanos } else { 999_000_000 };
        }
        if precision == Precision::Second && self.precision <= Precision::Day {
            // East of Greenwich a day begins first, west of it it ends last.
            edge.offset = Some(if low { 14 * 60 } else { -12 * 60 });
        }
        edge.cut(precision)
    }

    pub(crate) fn time_of_day(self) -> Self {
        Self { year: 0, month: 1, day: 1, offset: None, ..self }
    }
}

const NANOS: i128 = 1_000_000_000;

/// More seconds than the calendar has.
const YEARS: i64 = 20_000 * 366 * DAY;
