//! The grammar (FHIRPath N1, appendix A), by the binding of operators.

use super::lexer::{Lexer, Token};
use super::tree::{Node, Operator, SIGN, TYPE};
use caregrid_schema::Schema;
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
pub(super) type Tree = (Node, u32);

pub(super) struct Parser<'t, 's> {
    lexer: Lexer<'t>,
    pub(super) token: Token<'t>,
    pub(super) at: usize,
    depth: u32,
    pub(super) schema: &'s Schema,
}

impl<'t> Parser<'t, '_> {
    pub(super) fn advance(&mut self) -> Result<Token<'t>, ParseError> {
        let (token, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    pub(super) fn fault<T>(&self) -> Result<T, ParseError> {
        Err(ParseError::Syntax(self.at))
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.token == Token::Symbol(symbol)
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Result<(), ParseError> {
        if !self.is_symbol(symbol) {
            return self.fault();
        }
        self.advance().map(|_| ())
    }

    pub(super) fn expression(&mut self, least: u8) -> Result<Tree, ParseError> {
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
}

pub(super) fn deeper(deep: u32) -> Result<u32, ParseError> {
    if deep >= DEEPEST {
        return Err(ParseError::TooLarge);
    }
    Ok(deep + 1)
}
