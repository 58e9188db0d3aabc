//! The grammar (FHIRPath N1, appendix A), by the binding of operators.

use super::function::Function;
use super::lexer::{Lexer, Token};
use super::tree::{Call, Literal, Node, Operator, TypeName, Variable, SIGN, TYPE};
use crate::item::System;
use crate::moment::{Moment, Precision};
use caregrid_schema::Schema;
use regex::{Regex, RegexBuilder};
use rust_decimal::Decimal;
use std::fmt;

/// Why a text is not an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// It breaks the grammar at this byte.
    Syntax(usize),
    /// A function has too few or too many arguments at this byte.
    Arguments(usize),
    /// It is nested too deeply, or too long.
    TooLarge,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(at) => write!(f, "not FHIRPath at byte {at}"),
            Self::Arguments(at) => write!(f, "wrong number of arguments at byte {at}"),
            Self::TooLarge => f.write_str("the expression is too large"),
        }
    }
}

impl std::error::Error for ParseError {}

/// Depth of the tree, which evaluation and destruction walk recursively.
const DEEPEST: u32 = 160;

/// Bytes of an expression.
const LONGEST: usize = 65_536;

/// Parse a text; type names mean those of the schema.
pub(crate) fn parse(text: &str, schema: &Schema) -> Result<Node, ParseError> {
    if text.len() > LONGEST {
        return Err(ParseError::TooLarge);
    }
    let mut lexer = Lexer::new(text);
    let (token, at) = lexer.next()?;
    let mut parser = Parser { lexer, token, at, depth: 0, schema };
    let (node, _) = parser.expression(0)?;
    match parser.token {
        Token::End => Ok(node),
        _ => Err(ParseError::Syntax(parser.at)),
    }
}

/// A tree and how deep it is.
type Tree = (Node, u32);

struct Parser<'t, 's> {
    lexer: Lexer<'t>,
    token: Token<'t>,
    at: usize,
    depth: u32,
    schema: &'s Schema,
}

impl<'t> Parser<'t, '_> {
    fn advance(&mut self) -> Result<Token<'t>, ParseError> {
        let (token, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn fault<T>(&self) -> Result<T, ParseError> {
        Err(ParseError::Syntax(self.at))
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.token == Token::Symbol(symbol)
    }

    fn expect(&mut self, symbol: &str) -> Result<(), ParseError> {
        if !self.is_symbol(symbol) {
            return self.fault();
        }
        self.advance().map(|_| ())
    }

    fn expression(&mut self, least: u8) -> Result<Tree, ParseError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(ParseError::TooLarge);
        }
        let mut left = self.signed()?;
        loop {
            if let Token::Word(word @ ("is" | "as")) = self.token {
                if TYPE < least {
                    break;
                }
                left = self.type_test(left, word)?;
                continue;
            }
            let Some(operator) = self.operator().filter(|operator| operator.binding() >= least) else {
                break;
            };
            self.advance()?;
            let right = self.expression(operator.binding() + 1)?;
            let deep = deeper(left.1.max(right.1))?;
            left = (Node::Binary(operator, Box::new(left.0), Box::new(right.0)), deep);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operator(&self) -> Option<Operator> {
        match self.token {
            Token::Word(word) => Operator::of_symbol(word),
            Token::Symbol(symbol) => Operator::of_symbol(symbol),
            _ => None,
        }
    }

    fn type_test(&mut self, left: Tree, word: &str) -> Result<Tree, ParseError> {
        self.advance()?;
        let of = self.type_name()?;
        let operand = Box::new(left.0);
        let node = if word == "is" { Node::Is(operand, of) } else { Node::As(operand, of) };
        Ok((node, deeper(left.1)?))
    }

    fn signed(&mut self) -> Result<Tree, ParseError> {
        if self.is_symbol("+") {
            self.advance()?;
            return self.expression(SIGN);
        }
        if self.is_symbol("-") {
            self.advance()?;
            let (operand, deep) = self.expression(SIGN)?;
            return Ok((Node::Minus(Box::new(operand)), deeper(deep)?));
        }
        self.chain()
    }

    /// A term and what follows it: `.name`, `.function()`, `[index]`.
    fn chain(&mut self) -> Result<Tree, ParseError> {
        let mut left = self.term()?;
        loop {
            if self.is_symbol(".") {
                self.advance()?;
                left = self.invocation(Some(left))?;
            } else if self.is_symbol("[") {
                self.advance()?;
                let index = self.expression(0)?;
                self.expect("]")?;
                left = (Node::At(Box::new(left.0), Box::new(index.0)), deeper(left.1.max(index.1))?);
            } else {
                return Ok(left);
            }
        }
    }

    fn term(&mut self) -> Result<Tree, ParseError> {
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

    fn invocation(&mut self, left: Option<Tree>) -> Result<Tree, ParseError> {
        let at = self.at;
        let (name, quoted): (Box<str>, bool) = match self.advance()? {
            Token::Dollar("this") => return Ok(left.unwrap_or((Node::This, 1))),
            Token::Dollar("index") => return Ok((Node::Index, 1)),
            Token::Dollar("total") => return Ok((Node::Total, 1)),
            Token::Word(name) => (name.into(), false),
            Token::Quoted(name) => (name.as_ref().into(), true),
            _ => return Err(ParseError::Syntax(at)),
        };
        if self.is_symbol("(") {
            return self.call(left, &name, at);
        }
        let deep = deeper(left.as_ref().map_or(0, |(_, deep)| *deep))?;
        match self.schema.named(&name).filter(|_| left.is_none() && !quoted && is_type_like(&name)) {
            Some(shape) => Ok((Node::Start(shape), deep)),
            None => Ok((Node::Path(left.map(|(node, _)| Box::new(node)), name), deep)),
        }
    }

    fn call(&mut self, left: Option<Tree>, name: &str, at: usize) -> Result<Tree, ParseError> {
        self.advance()?;
        let (function, fewest, most) = Function::named(name);
        let mut call = Call { function, arguments: Vec::new(), of: TypeName::Unknown, pattern: None };
        let mut deep = left.as_ref().map_or(0, |(_, deep)| *deep);
        if function.takes_type() {
            call.of = self.type_name()?;
        } else {
            deep = deep.max(self.arguments(&mut call.arguments)?);
            if !(fewest..=most).contains(&call.arguments.len()) {
                return Err(ParseError::Arguments(at));
            }
        }
        self.expect(")")?;
        call.pattern = literal_pattern(&call);
        Ok((Node::Call(left.map(|(node, _)| Box::new(node)), Box::new(call)), deeper(deep)?))
    }

    fn arguments(&mut self, arguments: &mut Vec<Node>) -> Result<u32, ParseError> {
        let mut deep = 0;
        while !self.is_symbol(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            let (argument, one) = self.expression(0)?;
            arguments.push(argument);
            deep = deep.max(one);
        }
        Ok(deep)
    }

    fn type_name(&mut self) -> Result<TypeName, ParseError> {
        let mut names: Vec<String> = Vec::new();
        loop {
            match self.advance()? {
                Token::Word(name) => names.push(name.to_owned()),
                Token::Quoted(name) | Token::String(name) => names.push(name.into_owned()),
                _ => return self.fault(),
            }
            if !self.is_symbol(".") || names.len() > 1 {
                break;
            }
            self.advance()?;
        }
        Ok(self.meaning(&names))
    }

    fn meaning(&self, names: &[String]) -> TypeName {
        let fhir = |name: &str| self.schema.named(name).map(TypeName::Fhir);
        let system = |name: &str| System::named(name).map(TypeName::System);
        let meaning = match names {
            [name] => fhir(name).or_else(|| system(name)),
            [space, name] if space == "FHIR" => fhir(name),
            [space, name] if space == "System" => system(name),
            _ => None,
        };
        meaning.unwrap_or(TypeName::Unknown)
    }
}

fn deeper(deep: u32) -> Result<u32, ParseError> {
    if deep >= DEEPEST {
        return Err(ParseError::TooLarge);
    }
    Ok(deep + 1)
}

/// Types at the start of a path have a capital; elements never do.
fn is_type_like(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_uppercase())
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

fn literal_pattern(call: &Call) -> Option<Regex> {
    match call.arguments.first() {
        Some(Node::Literal(Literal::String(text))) if call.function.takes_pattern() => {
            pattern(text, call.function)
        }
        _ => None,
    }
}

/// The regular expression of a function's argument, in single-line mode (FHIRPath §5.6.9).
pub(crate) fn pattern(text: &str, function: Function) -> Option<Regex> {
    let whole = format!("^(?:{text})$");
    let text = if function == Function::MatchesFull { &whole } else { text };
    RegexBuilder::new(text).dot_matches_new_line(true).size_limit(1 << 20).build().ok()
}
