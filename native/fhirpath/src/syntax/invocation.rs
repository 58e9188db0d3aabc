//! Names, functions and types.

use super::function::Function;
use super::lexer::Token;
use super::parser::{deeper, ParseError, Parser, Tree};
use super::tree::{Call, Literal, Node, TypeName};
use crate::item::System;
use regex::{Regex, RegexBuilder};

impl Parser<'_, '_> {
    pub(super) fn invocation(&mut self, left: Option<Tree>) -> Result<Tree, ParseError> {
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

    pub(super) fn type_name(&mut self) -> Result<TypeName, ParseError> {
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

/// Types at the start of a path have a capital; elements never do.
fn is_type_like(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_uppercase())
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
