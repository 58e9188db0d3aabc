//! Words and symbols.

use super::parser::ParseError;
use std::borrow::Cow;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token<'t> {
    /// A name or a word operator.
    Word(&'t str),
    /// A name between backticks.
    Quoted(Cow<'t, str>),
    /// Text.
    String(Cow<'t, str>),
    Number(&'t str),
    /// What follows an at sign.
    Moment(&'t str),
    /// What follows a dollar sign.
    Dollar(&'t str),
    Symbol(&'t str),
    End,
}

const SYMBOLS: [&str; 23] = [
    "<=", ">=", "!=", "!~", "=", "~", "<", ">", "|", "&", "+", "-", "*", "/", ".", ",", "(", ")", "[", "]",
    "{", "}", "%",
];

pub(crate) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token and where it begins.
    pub(crate) fn next(&mut self) -> Result<(Token<'t>, usize), ParseError> {
        self.skip_blanks()?;
        let start = self.at;
        let token = match self.rest().bytes().next() {
            None => Token::End,
            Some(b'\'') => Token::String(self.quoted('\'')?),
            // Not in the grammar, but HL7 publishes it (eld-11 of R5).
            Some(b'"') => Token::String(self.quoted('"')?),
            Some(b'`') => Token::Quoted(self.quoted('`')?),
            Some(b'@') => Token::Moment(self.moment()),
            Some(b'$') => self.dollar(),
            Some(b'0'..=b'9') => Token::Number(self.number()),
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => Token::Word(self.word()),
            Some(_) => self.symbol()?,
        };
        Ok((token, start))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn take(&mut self, length: usize) -> &'t str {
        let taken = self.rest().get(..length).unwrap_or("");
        self.at += taken.len();
        taken
    }

    fn take_while(&mut self, skip: usize, wanted: impl Fn(u8) -> bool) -> &'t str {
        let more = self.rest().bytes().skip(skip).take_while(|byte| wanted(*byte)).count();
        self.take(skip + more)
    }

    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            self.at += blank;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find(['\r', '\n']).unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += 2 + rest.get(2..).and_then(|rest| rest.find("*/")).ok_or(self.fault())? + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn fault(&self) -> ParseError {
        ParseError::Syntax(self.at)
    }

    fn word(&mut self) -> &'t str {
        self.take_while(0, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    fn dollar(&mut self) -> Token<'t> {
        self.at += 1;
        Token::Dollar(self.word())
    }

    fn number(&mut self) -> &'t str {
        let whole = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let mut after = self.rest().bytes().skip(whole);
        let decimal = after.next() == Some(b'.') && after.next().is_some_and(|byte| byte.is_ascii_digit());
        if !decimal {
            return self.take(whole);
        }
        self.take_while(whole + 1, |byte| byte.is_ascii_digit())
    }

    /// A dot belongs to it only before a digit: `@2015.toString()` has none.
    fn moment(&mut self) -> &'t str {
        self.at += 1;
        let bytes = self.rest().as_bytes();
        let mut length = 0;
        while let Some(byte) = bytes.get(length) {
            let digit_follows = bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
            let part = byte.is_ascii_digit()
                || matches!(byte, b'T' | b'Z')
                || matches!(byte, b':' | b'+' | b'-' | b'.') && digit_follows;
            if !part {
                break;
            }
            length += 1;
        }
        self.take(length)
    }

    fn symbol(&mut self) -> Result<Token<'t>, ParseError> {
        let rest = self.rest();
        let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)).ok_or(self.fault())?;
        Ok(Token::Symbol(self.take(symbol.len())))
    }

    fn quoted(&mut self, quote: char) -> Result<Cow<'t, str>, ParseError> {
        let fault = self.fault();
        self.at += 1;
        let rest = self.rest();
        let end = rest.find([quote, '\\']).ok_or(fault)?;
        if rest.get(end..).is_some_and(|rest| rest.starts_with(quote)) {
            let text = self.take(end);
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        self.escaped(quote).map(Cow::Owned).ok_or(fault)
    }

    fn escaped(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut letters = self.rest().chars();
        loop {
            match letters.next()? {
                '\\' => text.push(unescape(&mut letters)?),
                letter if letter == quote => break,
                letter => text.push(letter),
            }
        }
        self.at = self.text.len() - letters.as_str().len();
        Some(text)
    }
}

/// What a backslash and the letters after it stand for (FHIRPath §4.1.2; any other letter stands for itself).
fn unescape(letters: &mut std::str::Chars) -> Option<char> {
    Some(match letters.next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'f' => '\u{c}',
        'u' => {
            let digits = letters.as_str().get(..4)?;
            let code = u32::from_str_radix(digits, 16).ok()?;
            letters.nth(3)?;
            // Half of a pair has no meaning of its own.
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        letter => letter,
    })
}
