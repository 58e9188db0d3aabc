//! Tokens of JSON.

use crate::parser::{Fault, FaultKind};
use bumpalo::Bump;

/// A place in a text. All that is skipped is ASCII or whole strings, so it always lies between characters.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    place: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), place: 0 }
    }

    pub(crate) fn at(&self) -> u32 {
        self.place as u32
    }

    pub(crate) fn is_done(&self) -> bool {
        self.place >= self.bytes.len()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.place).copied()
    }

    pub(crate) fn skip(&mut self, bytes: usize) {
        self.place += bytes;
    }

    pub(crate) fn skip_white(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.place += 1;
            // Indentation comes in runs.
            while self.bytes.get(self.place..self.place + 8) == Some(b"        ") {
                self.place += 8;
            }
        }
    }

    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.place += usize::from(there);
        there
    }

    pub(crate) fn require(&self, byte: u8) -> Result<(), Fault> {
        match self.peek() {
            Some(found) if found == byte => Ok(()),
            Some(_) => self.fail(FaultKind::Syntax),
            None => self.fail(FaultKind::Truncated),
        }
    }

    pub(crate) fn fail<T>(&self, kind: FaultKind) -> Result<T, Fault> {
        Err(Fault { kind, at: self.at() })
    }

    pub(crate) fn word<T>(&mut self, word: &str, meaning: T) -> Result<T, Fault> {
        let rest = &self.bytes[self.place..];
        if rest.starts_with(word.as_bytes()) {
            self.place += word.len();
            return Ok(meaning);
        }
        let kind = if word.as_bytes().starts_with(rest) { FaultKind::Truncated } else { FaultKind::Syntax };
        self.fail(kind)
    }

    pub(crate) fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.place;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'-') {
                self.take(b'+');
            }
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'-' | b'+')) {
            return self.fail(FaultKind::Number);
        }
        Ok(&self.text[start..self.place])
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let count = self.bytes[self.place..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.place += count;
        match (count, self.is_done()) {
            (0, true) => self.fail(FaultKind::Truncated),
            (0, false) => self.fail(FaultKind::Number),
            _ => Ok(()),
        }
    }

    /// The string whose opening quote is here.
    pub(crate) fn string(&mut self, arena: &'a Bump) -> Result<&'a str, Fault> {
        self.place += 1;
        let start = self.place;
        self.place = self.plain_end()?;
        if self.bytes[self.place] == b'"' {
            self.place += 1;
            return Ok(&self.text[start..self.place - 1]);
        }
        let mut owned = bumpalo::collections::String::from_str_in(&self.text[start..self.place], arena);
        while self.bytes[self.place] != b'"' {
            owned.push(self.escape()?);
            let run = self.place;
            self.place = self.plain_end()?;
            owned.push_str(&self.text[run..self.place]);
        }
        self.place += 1;
        Ok(owned.into_bump_str())
    }

    /// Where the next quote or backslash is; there is one.
    fn plain_end(&mut self) -> Result<usize, Fault> {
        let rest = &self.bytes[self.place..];
        let end = self.place + plain_length(rest);
        match self.bytes.get(end) {
            Some(b'"' | b'\\') => Ok(end),
            Some(_) => Err(Fault { kind: FaultKind::String, at: end as u32 }),
            None => Err(Fault { kind: FaultKind::Truncated, at: end as u32 }),
        }
    }

    /// The character that the escape here stands for.
    fn escape(&mut self) -> Result<char, Fault> {
        let Some(letter) = self.bytes.get(self.place + 1) else {
            return self.fail(FaultKind::Truncated);
        };
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(*letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return self.fail(FaultKind::String),
        };
        self.place += 2;
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, Fault> {
        let first = self.code_unit(self.place)?;
        let (code, length) = match first {
            0xd800..=0xdbff => {
                if !self.bytes[self.place + 6..].starts_with(b"\\u") {
                    return self.fail(FaultKind::Surrogate);
                }
                let second = self.code_unit(self.place + 6)?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return self.fail(FaultKind::Surrogate);
                }
                (0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12)
            }
            _ => (first, 6),
        };
        // The rest of what is no character: the second half of a pair alone.
        let Some(character) = char::from_u32(code) else {
            return self.fail(FaultKind::Surrogate);
        };
        self.place += length;
        Ok(character)
    }

    fn code_unit(&self, escape: usize) -> Result<u32, Fault> {
        let Some(digits) = self.bytes.get(escape + 2..escape + 6) else {
            return self.fail(FaultKind::Truncated);
        };
        digits.iter().try_fold(0, |unit, digit| match char::from(*digit).to_digit(16) {
            Some(value) => Ok(unit << 4 | value),
            None => self.fail(FaultKind::String),
        })
    }
}

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// How many bytes come before the first quote, backslash or control character, eight of them at a time.
fn plain_length(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (number, chunk) in chunks.iter().enumerate() {
        let found = special(u64::from_le_bytes(*chunk));
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let tail = rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'));
    bytes.len() - rest.len() + tail.unwrap_or(rest.len())
}

/// The high bit of each byte that ends a plain run; of the lowest one surely, borrows may set others above it.
fn special(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')))) & HIGH
}
