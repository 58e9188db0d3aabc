//! From text to a tree.

mod function;
mod invocation;
mod lexer;
mod parser;
mod term;
mod tree;

pub(crate) use function::Function;
pub(crate) use invocation::pattern;
pub(crate) use parser::parse;
pub use parser::ParseError;
pub(crate) use term::is_calendar_unit;
pub(crate) use tree::{Call, Literal, Node, Operator, TypeName, Variable};
