//! The parser (RFC 8259, strictly): UTF-8, no byte order mark, unique names, nothing after the value.

use crate::scanner::Scanner;
use crate::{Json, Kind, Member};
use bumpalo::Bump;
use std::collections::HashSet;

/// What a document may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Arrays and objects inside one another.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 100 }
    }
}

/// Why a text is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Byte offset.
    pub at: u32,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing but white space.
    Empty,
    /// It begins with a byte order mark, which RFC 8259 forbids.
    ByteOrderMark,
    /// Not UTF-8.
    Encoding,
    /// Not JSON.
    Syntax,
    /// It ends too early.
    Truncated,
    /// Something stands after the value.
    Trailing,
    /// A number as JSON does not write it.
    Number,
    /// A control character, or an escape that there is not, in a string.
    String,
    /// Half of a surrogate pair.
    Surrogate,
    /// A name stands twice in an object.
    Duplicate,
    /// Arrays and objects inside one another beyond the limit.
    Depth,
    /// Longer than 4 GiB.
    Size,
}

impl FaultKind {
    /// What is wrong, for whoever wrote the text.
    pub fn text(self) -> &'static str {
        match self {
            Self::Empty => "there is no content",
            Self::ByteOrderMark => "the text begins with a byte order mark; leave it out",
            Self::Encoding => "the text is not UTF-8",
            Self::Syntax => "this is not JSON",
            Self::Truncated => "the text ends before the JSON does",
            Self::Trailing => "something stands after the end of the JSON",
            Self::Number => "a number is not written as JSON has it",
            Self::String => "a string holds a control character or an unknown escape",
            Self::Surrogate => "a string holds half of a surrogate pair",
            Self::Duplicate => "a property stands twice in an object",
            Self::Depth => "arrays and objects are nested too deeply",
            Self::Size => "the text is longer than 4 GiB",
        }
    }
}

/// Objects with more members than this are searched for duplicates by a table.
const FEW_MEMBERS: usize = 16;

/// Parse a text; strings without escapes and numbers stay where they are in it.
///
/// # Errors
///
/// [`Fault`]: the first thing that is wrong.
pub fn parse<'a>(source: &'a [u8], arena: &'a Bump, limits: Limits) -> Result<Json<'a>, Fault> {
    if u32::try_from(source.len()).is_err() {
        return Err(Fault { kind: FaultKind::Size, at: 0 });
    }
    if source.starts_with(b"\xef\xbb\xbf") {
        return Err(Fault { kind: FaultKind::ByteOrderMark, at: 0 });
    }
    let text = std::str::from_utf8(source)
        .map_err(|error| Fault { kind: FaultKind::Encoding, at: error.valid_up_to() as u32 })?;
    let mut parser =
        Parser { scanner: Scanner::new(text), arena, depth: limits.depth, values: vec![], members: vec![] };
    parser.document()
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    arena: &'a Bump,
    depth: u32,
    /// Elements of the arrays that are open, members of the objects: reused, so that each is copied once.
    values: Vec<Json<'a>>,
    members: Vec<Member<'a>>,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<Json<'a>, Fault> {
        self.scanner.skip_white();
        if self.scanner.is_done() {
            return self.scanner.fail(FaultKind::Empty);
        }
        let value = self.value()?;
        self.scanner.skip_white();
        if self.scanner.is_done() {
            Ok(value)
        } else {
            self.scanner.fail(FaultKind::Trailing)
        }
    }

    fn value(&mut self) -> Result<Json<'a>, Fault> {
        let at = self.scanner.at();
        let kind = match self.scanner.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => Kind::String(self.scanner.string(self.arena)?),
            Some(b'-' | b'0'..=b'9') => Kind::Number(self.scanner.number()?),
            Some(b't') => self.scanner.word("true", Kind::Bool(true))?,
            Some(b'f') => self.scanner.word("false", Kind::Bool(false))?,
            Some(b'n') => self.scanner.word("null", Kind::Null)?,
            Some(_) => return self.scanner.fail(FaultKind::Syntax),
            None => return self.scanner.fail(FaultKind::Truncated),
        };
        Ok(Json { kind, at })
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Result<Kind<'a>, Fault>) -> Result<Kind<'a>, Fault> {
        if self.depth == 0 {
            return self.scanner.fail(FaultKind::Depth);
        }
        self.depth -= 1;
        self.scanner.skip(1);
        let kind = inner(self)?;
        self.depth += 1;
        Ok(kind)
    }

    fn array(&mut self) -> Result<Kind<'a>, Fault> {
        let first = self.values.len();
        self.scanner.skip_white();
        if !self.scanner.take(b']') {
            loop {
                self.scanner.skip_white();
                let value = self.value()?;
                self.values.push(value);
                if !self.more(b']')? {
                    break;
                }
            }
        }
        let elements = self.arena.alloc_slice_copy(&self.values[first..]);
        self.values.truncate(first);
        Ok(Kind::Array(elements))
    }

    fn object(&mut self) -> Result<Kind<'a>, Fault> {
        let first = self.members.len();
        self.scanner.skip_white();
        if !self.scanner.take(b'}') {
            loop {
                let member = self.member()?;
                self.members.push(member);
                if !self.more(b'}')? {
                    break;
                }
            }
        }
        require_unique(&self.members[first..])?;
        let members = self.arena.alloc_slice_copy(&self.members[first..]);
        self.members.truncate(first);
        Ok(Kind::Object(members))
    }

    fn member(&mut self) -> Result<Member<'a>, Fault> {
        self.scanner.skip_white();
        let name_at = self.scanner.at();
        self.scanner.require(b'"')?;
        let name = self.scanner.string(self.arena)?;
        self.scanner.skip_white();
        self.scanner.require(b':')?;
        self.scanner.skip(1);
        self.scanner.skip_white();
        Ok(Member { name, name_at, value: self.value()? })
    }

    /// Whether a comma, and not the end, comes next.
    fn more(&mut self, end: u8) -> Result<bool, Fault> {
        self.scanner.skip_white();
        if self.scanner.take(b',') {
            return Ok(true);
        }
        self.scanner.require(end)?;
        self.scanner.skip(1);
        Ok(false)
    }
}

fn require_unique(members: &[Member<'_>]) -> Result<(), Fault> {
    let twice = if members.len() <= FEW_MEMBERS {
        (1..members.len())
            .find(|place| members[..*place].iter().any(|other| other.name == members[*place].name))
    } else {
        let mut seen = HashSet::with_capacity(members.len());
        members.iter().position(|member| !seen.insert(member.name))
    };
    match twice {
        Some(place) => Err(Fault { kind: FaultKind::Duplicate, at: members[place].name_at }),
        None => Ok(()),
    }
}
