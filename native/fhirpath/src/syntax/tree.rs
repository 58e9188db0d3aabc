//! The tree of an expression.

use super::function::Function;
use crate::item::System;
use crate::moment::Moment;
use caregrid_schema::ShapeId;
use regex::Regex;
use rust_decimal::Decimal;

/// A part of an expression. Where `Option<Box<Node>>` is `None`, it applies to what the expression is evaluated on.
#[derive(Debug)]
pub(crate) enum Node {
    Literal(Literal),
    This,
    Index,
    Total,
    Variable(Variable),
    /// `left.name`.
    Path(Option<Box<Node>>, Box<str>),
    /// `Patient` at the start: what it is evaluated on, if that is of the type.
    Start(ShapeId),
    Call(Option<Box<Node>>, Box<Call>),
    /// `left[right]`.
    At(Box<Node>, Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Is(Box<Node>, TypeName),
    As(Box<Node>, TypeName),
    Minus(Box<Node>),
}

impl Node {
    /// Whether all functions and variables in it are known, and its regular expressions understood.
    pub(crate) fn is_supported(&self) -> bool {
        let all = |nodes: &[&Self]| nodes.iter().all(|node| node.is_supported());
        match self {
            Self::Variable(variable) => !matches!(variable, Variable::Unknown),
            Self::Path(left, _) => left.as_deref().is_none_or(Self::is_supported),
            Self::Call(left, call) => {
                left.as_deref().is_none_or(Self::is_supported)
                    && call.is_supported()
                    && call.arguments.iter().all(Self::is_supported)
            }
            Self::At(left, right) | Self::Binary(_, left, right) => all(&[left, right]),
            Self::Is(operand, _) | Self::As(operand, _) | Self::Minus(operand) => operand.is_supported(),
            Self::Literal(_) | Self::This | Self::Index | Self::Total | Self::Start(_) => true,
        }
    }
}

impl Call {
    fn is_supported(&self) -> bool {
        let literal = matches!(self.arguments.first(), Some(Node::Literal(Literal::String(_))));
        let understood = self.pattern.is_some() || !self.function.takes_pattern() || !literal;
        self.function != Function::Unknown && understood
    }
}

#[derive(Debug)]
pub(crate) enum Literal {
    Empty,
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    String(Box<str>),
    Date(Moment),
    DateTime(Moment),
    Time(Moment),
    Quantity(Decimal, Box<str>),
}

/// What stands behind a percent sign.
#[derive(Debug)]
pub(crate) enum Variable {
    Context,
    Resource,
    RootResource,
    Extension,
    Text(Box<str>),
    Unknown,
}

/// A function and what it is called with.
#[derive(Debug)]
pub(crate) struct Call {
    pub function: Function,
    pub arguments: Vec<Node>,
    /// Of `is`, `as` and `ofType`.
    pub of: TypeName,
    /// Of `matches` and its like, where the expression names it literally and it is understood.
    pub pattern: Option<Regex>,
}

/// A type, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeName {
    Fhir(ShapeId),
    System(System),
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    Equivalent,
    NotEqual,
    NotEquivalent,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Union,
    Plus,
    Minus,
    Concatenate,
    Times,
    Divide,
    Div,
    Mod,
}

impl Operator {
    /// How closely it binds (FHIRPath §6.8); `is` and `as` bind at [`TYPE`].
    pub(crate) fn binding(self) -> u8 {
        match self {
            Self::Implies => 1,
            Self::Or | Self::Xor => 2,
            Self::And => 3,
            Self::In | Self::Contains => 4,
            Self::Equal | Self::Equivalent | Self::NotEqual | Self::NotEquivalent => 5,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 6,
            Self::Union => 7,
            Self::Plus | Self::Minus | Self::Concatenate => 9,
            Self::Times | Self::Divide | Self::Div | Self::Mod => 10,
        }
    }

    pub(crate) fn of_symbol(symbol: &str) -> Option<Self> {
        Some(match symbol {
            "implies" => Self::Implies,
            "or" => Self::Or,
            "xor" => Self::Xor,
            "and" => Self::And,
            "in" => Self::In,
            "contains" => Self::Contains,
            "=" => Self::Equal,
            "~" => Self::Equivalent,
            "!=" => Self::NotEqual,
            "!~" => Self::NotEquivalent,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "|" => Self::Union,
            "+" => Self::Plus,
            "-" => Self::Minus,
            "&" => Self::Concatenate,
            "*" => Self::Times,
            "/" => Self::Divide,
            "div" => Self::Div,
            "mod" => Self::Mod,
            _ => return None,
        })
    }
}

/// How closely `is` and `as` bind.
pub(crate) const TYPE: u8 = 8;

/// How closely a sign binds.
pub(crate) const SIGN: u8 = 11;
