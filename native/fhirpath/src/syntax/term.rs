//! Literals, variables and parentheses.

use super::lexer::Token;
use super::parser::{ParseError, Parser, Tree};
use super::tree::{Literal, Node, Variable};
use crate::moment::{Moment, Precision};
use rust_decimal::Decimal;

impl<'t> Parser<'t, '_> {
    pub(super) fn term(&mut self) -> Result<Tree, ParseError> {
        let literal = match &self.token {
            Token::Symbol("(") => return self.parenthesised(),
            Token::Symbol("%") => return self.variable(),
            Token::Symbol("{") => {
                self.advance()?;
                if !self.is_symbol("}") {
                    return self.fault();
                }
                Literal::Empty
            }
            Token::Word("true") => Literal::Boolean(true),
            Token::Word("false") => Literal::Boolean(false),
            Token::String(text) => Literal::String(text.as_ref().into()),
            Token::Number(text) => return self.quantity(text),
            Token::Moment(text) => moment(text).ok_or(ParseError::Syntax(self.at))?,
            _ => return self.invocation(None),
        };
        self.advance()?;
        Ok((Node::Literal(literal), 1))
    }

    fn parenthesised(&mut self) -> Result<Tree, ParseError> {
        self.advance()?;
        let inner = self.expression(0)?;
        self.expect(")")?;
        Ok(inner)
    }

    fn variable(&mut self) -> Result<Tree, ParseError> {
        self.advance()?;
        let variable = match self.advance()? {
            Token::Word(name) => variable(name),
            Token::Quoted(name) | Token::String(name) => variable(&name),
            _ => return self.fault(),
        };
        Ok((Node::Variable(variable), 1))
    }

    /// A number, with its unit if it has one.
    fn quantity(&mut self, text: &'t str) -> Result<Tree, ParseError> {
        let decimal = Decimal::from_str_exact(text).map_err(|_| ParseError::Syntax(self.at))?;
        self.advance()?;
        let unit: Option<Box<str>> = match &self.token {
            Token::String(unit) => Some(unit.as_ref().into()),
            Token::Word(word) if is_calendar_unit(word) => Some((*word).into()),
            _ => None,
        };
        if let Some(unit) = unit {
            self.advance()?;
            return Ok((Node::Literal(Literal::Quantity(decimal, unit)), 1));
        }
        let literal = match text.parse() {
            Ok(whole) => Literal::Integer(whole),
            Err(_) => Literal::Decimal(decimal),
        };
        Ok((Node::Literal(literal), 1))
    }
}

pub(crate) fn is_calendar_unit(word: &str) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    matches!(singular, "year" | "month" | "week" | "day" | "hour" | "minute" | "second" | "millisecond")
}

/// FHIR's variables: <https://hl7.org/fhir/R4/fhirpath.html#variables>.
fn variable(name: &str) -> Variable {
    let text = |text: &str| Variable::Text(text.into());
    match name {
        "context" => Variable::Context,
        "resource" => Variable::Resource,
        "rootResource" => Variable::RootResource,
        "extension" => Variable::Extension,
        "ucum" => text("http://unitsofmeasure.org"),
        "sct" => text("http://snomed.info/sct"),
        "loinc" => text("http://loinc.org"),
        _ => match (name.strip_prefix("vs-"), name.strip_prefix("ext-")) {
            (Some(set), _) => text(&format!("http://hl7.org/fhir/ValueSet/{set}")),
            (_, Some(extension)) => text(&format!("http://hl7.org/fhir/StructureDefinition/{extension}")),
            _ => Variable::Unknown,
        },
    }
}

fn moment(text: &str) -> Option<Literal> {
    if let Some(time) = text.strip_prefix('T') {
        return Moment::time(time).map(Literal::Time);
    }
    let moment = Moment::date_time(text)?;
    let date = moment.precision <= Precision::Day && !text.contains('T');
    Some(if date { Literal::Date(moment) } else { Literal::DateTime(moment) })
}
