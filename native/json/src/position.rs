//! Byte offsets into lines and columns, only when somebody asks.

/// A place in a text, both counted from 1; columns count Unicode characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// Where the lines of a text begin.
pub struct Lines<'s> {
    source: &'s [u8],
    starts: Vec<u32>,
}

impl<'s> Lines<'s> {
    /// Find the lines of a text.
    pub fn new(source: &'s [u8]) -> Self {
        let breaks = memchr::memchr_iter(b'\n', source).map(|at| at as u32 + 1);
        Self { source, starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The line and column of a byte.
    pub fn position(&self, at: u32) -> Position {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1] as usize;
        let before = &self.source[start..(at as usize).min(self.source.len())];
        let column = before.iter().filter(|byte| (**byte & 0xC0) != 0x80).count() + 1;
        Position { line: line as u32, column: column as u32 }
    }
}
