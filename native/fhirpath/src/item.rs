//! What expressions find.

use crate::element::Element;
use crate::moment::Moment;
use rust_decimal::Decimal;

/// One item of a collection: an element of the instance, or a value of FHIRPath's own (`System`) types.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Item<'a> {
    Element(Element<'a>),
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    String(&'a str),
    Date(Moment),
    DateTime(Moment),
    Time(Moment),
    Quantity(Quantity<'a>),
}

/// A number with a unit.
#[derive(Clone, Copy, Debug)]
pub struct Quantity<'a> {
    /// The number.
    pub value: Decimal,
    /// UCUM, a calendar word such as `days`, or empty where there is none.
    pub unit: &'a str,
}

impl<'a> Item<'a> {
    /// The element, if it is one.
    pub fn element(&self) -> Option<Element<'a>> {
        match self {
            Self::Element(element) => Some(*element),
            _ => None,
        }
    }
}

/// FHIRPath's own types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum System {
    Any,
    Boolean,
    Integer,
    Decimal,
    String,
    Date,
    DateTime,
    Time,
    Quantity,
}

impl System {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Any" => Self::Any,
            "Boolean" => Self::Boolean,
            "Integer" => Self::Integer,
            "Decimal" => Self::Decimal,
            "String" => Self::String,
            "Date" => Self::Date,
            "DateTime" => Self::DateTime,
            "Time" => Self::Time,
            "Quantity" => Self::Quantity,
            _ => return None,
        })
    }
}
