//! From text to a tree.

mod function;
mod lexer;
mod parser;
mod tree;

pub(crate) use function::Function;
pub use parser::ParseError;
pub(crate) use parser::{is_calendar_unit, parse, pattern};
pub(crate) use tree::{Call, Literal, Node, Operator, TypeName, Variable};
