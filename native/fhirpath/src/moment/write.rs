//! To text.

use super::{Moment, Precision};
use std::fmt::Write;

impl Moment {
    /// `2015-02-04`, as far as it is known.
    pub(crate) fn date_text(&self) -> String {
        let mut text = format!("{:04}", self.year);
        if self.precision >= Precision::Month {
            let _ = write!(text, "-{:02}", self.month);
        }
        if self.precision >= Precision::Day {
            let _ = write!(text, "-{:02}", self.day);
        }
        text
    }

    /// `14:34:28.123`, as far as it is known.
    pub(crate) fn time_text(&self) -> String {
        let mut text = format!("{:02}", self.hour);
        if self.precision >= Precision::Minute {
            let _ = write!(text, ":{:02}", self.minute);
        }
        if self.precision >= Precision::Second {
            let _ = write!(text, ":{:02}", self.second);
        }
        if self.nanos > 0 {
            let digits = format!("{:09}", self.nanos);
            let _ = write!(text, ".{}", digits.trim_end_matches('0'));
        }
        text
    }

    /// `2015-02-04T14:34:28.123+01:00`, as far as it is known.
    pub(crate) fn date_time_text(&self) -> String {
        if self.precision <= Precision::Day {
            return self.date_text();
        }
        let offset = match self.offset {
            None => String::new(),
            Some(0) => "Z".to_owned(),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
            }
        };
        format!("{}T{}{offset}", self.date_text(), self.time_text())
    }
}
