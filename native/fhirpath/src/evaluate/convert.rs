//! Elements as values of FHIRPath's own types, and conversions between those (FHIRPath §5.5, FHIR §2.9.1.1).

use super::{Answer, Machine};
use crate::element::Element;
use crate::item::{Item, Quantity, System};
use crate::moment::Moment;
use crate::syntax::TypeName;
use crate::trouble::Trouble;
use caregrid_json::Kind;
use caregrid_values::Primitive;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::Decimal;

impl<'a> Machine<'a, '_> {
    /// The value of a primitive or a Quantity; `None` for anything else, and for a primitive without a value.
    pub(crate) fn system(&self, item: &Item<'a>) -> Answer<Option<Item<'a>>> {
        let Item::Element(element) = item else { return Ok(Some(*item)) };
        match (element.primitive(self.context.schema), element.value.map(|value| value.kind)) {
            (Some(primitive), Some(Kind::String(text))) => typed(primitive, text).map(Some),
            (Some(primitive), Some(Kind::Number(text))) => numeric(primitive, text).map(Some),
            (Some(_), Some(Kind::Bool(truth))) => Ok(Some(Item::Boolean(truth))),
            (None, Some(Kind::Object(_))) if self.is_quantity(element) => {
                Ok(self.quantity(element)?.map(Item::Quantity))
            }
            _ => Ok(None),
        }
    }

    /// The text of a primitive, as written.
    pub(crate) fn text(&self, item: &Item<'a>) -> Option<&'a str> {
        match item {
            Item::String(text) => Some(text),
            Item::Boolean(truth) => Some(truth_text(*truth)),
            Item::Element(element) => {
                element.primitive(self.context.schema)?;
                match element.value?.kind {
                    Kind::String(text) | Kind::Number(text) => Some(text),
                    Kind::Bool(truth) => Some(truth_text(truth)),
                    _ => None,
                }
            }
            Item::Quantity(quantity) if quantity.unit.is_empty() => {
                Some(self.keep(&quantity.value.to_string()))
            }
            Item::Quantity(quantity) => Some(self.keep(&format!("{} '{}'", quantity.value, quantity.unit))),
            Item::Integer(number) => Some(self.keep(&number.to_string())),
            Item::Decimal(number) => Some(self.keep(&number.to_string())),
            Item::Date(moment) => Some(self.keep(&moment.date_text())),
            Item::DateTime(moment) => Some(self.keep(&moment.date_time_text())),
            Item::Time(moment) => Some(self.keep(&moment.time_text())),
        }
    }

    pub(crate) fn boolean(&self, item: &Item<'a>) -> Option<bool> {
        match item {
            Item::Boolean(truth) => Some(*truth),
            Item::Element(element) => match element.value?.kind {
                Kind::Bool(truth) => Some(truth),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn integer(&self, item: &Item<'a>) -> Answer<Option<i64>> {
        match self.system(item)? {
            Some(Item::Integer(number)) => Ok(Some(number)),
            Some(Item::Decimal(number)) if number.is_integer() => Ok(number.to_i64()),
            Some(_) => Err(Trouble::Types),
            None => Ok(None),
        }
    }

    /// Whether an item has a type, or one built on it. System types include the FHIR types that convert to them.
    pub(crate) fn is(&self, item: &Item<'a>, of: TypeName) -> bool {
        let schema = self.context.schema;
        match (item, of) {
            (Item::Element(element), TypeName::Fhir(shape)) => schema.is_a(element.shape, shape),
            (Item::Element(element), TypeName::System(system)) => match element.primitive(schema) {
                Some(primitive) => system == System::Any || system == system_of(primitive),
                None => system == System::Any || system == System::Quantity && self.is_quantity(element),
            },
            (_, TypeName::System(system)) => system == System::Any || system == kind(item),
            (_, TypeName::Fhir(shape)) => {
                matches!(schema.shape(shape).sort, caregrid_schema::Sort::Primitive(primitive)
                    if system_of(primitive) == kind(item))
            }
            (_, TypeName::Unknown) => false,
        }
    }

    pub(crate) fn is_quantity(&self, element: &Element<'a>) -> bool {
        let schema = self.context.schema;
        schema.named("Quantity").is_some_and(|quantity| schema.is_a(element.shape, quantity))
    }

    /// A FHIR Quantity as FHIRPath's; `None` without a value.
    pub(crate) fn quantity(&self, element: &Element<'a>) -> Answer<Option<Quantity<'a>>> {
        let Some(json) = element.value else { return Ok(None) };
        let Some(Kind::Number(text)) = json.get("value").map(|value| value.kind) else { return Ok(None) };
        let unit = json.text("code").unwrap_or("");
        Ok(Some(Quantity { value: decimal(text)?, unit }))
    }
}

fn kind(item: &Item) -> System {
    match item {
        Item::Element(_) => System::Any,
        Item::Boolean(_) => System::Boolean,
        Item::Integer(_) => System::Integer,
        Item::Decimal(_) => System::Decimal,
        Item::String(_) => System::String,
        Item::Date(_) => System::Date,
        Item::DateTime(_) => System::DateTime,
        Item::Time(_) => System::Time,
        Item::Quantity(_) => System::Quantity,
    }
}

/// The table of <https://hl7.org/fhir/R4/fhirpath.html#types>.
fn system_of(primitive: Primitive) -> System {
    match primitive {
        Primitive::Boolean => System::Boolean,
        Primitive::Integer | Primitive::Integer64 | Primitive::PositiveInt | Primitive::UnsignedInt => {
            System::Integer
        }
        Primitive::Decimal => System::Decimal,
        Primitive::Date => System::Date,
        Primitive::DateTime | Primitive::Instant => System::DateTime,
        Primitive::Time => System::Time,
        _ => System::String,
    }
}

fn typed(primitive: Primitive, text: &str) -> Answer<Item<'_>> {
    let item = match system_of(primitive) {
        System::Date => Moment::date_time(text).map(Item::Date),
        System::DateTime => Moment::date_time(text).map(Item::DateTime),
        System::Time => Moment::time(text).map(Item::Time),
        System::Integer => text.parse().ok().map(Item::Integer),
        System::String => Some(Item::String(text)),
        _ => None,
    };
    item.ok_or(Trouble::Range)
}

fn numeric(primitive: Primitive, text: &str) -> Answer<Item<'_>> {
    match text.parse() {
        Ok(whole) if system_of(primitive) == System::Integer => Ok(Item::Integer(whole)),
        _ => decimal(text).map(Item::Decimal),
    }
}

/// A JSON number.
pub(crate) fn decimal(text: &str) -> Answer<Decimal> {
    let read = match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text),
        false => text.parse(),
    };
    read.map_err(|_| Trouble::Range)
}

fn truth_text(truth: bool) -> &'static str {
    if truth {
        "true"
    } else {
        "false"
    }
}
