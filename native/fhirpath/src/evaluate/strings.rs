//! Texts (FHIRPath §5.6). As in the reference validator, several texts where one is wanted find nothing.

use super::{Answer, Flow, Machine, Scope, Sink};
use crate::item::Item;
use crate::syntax::{pattern, Call, Function, Node};
use crate::trouble::Trouble;
use regex::Regex;
use std::borrow::Cow;

impl<'a> Machine<'a, '_> {
    /// The only text that a function applies to.
    fn subject(&self, left: Option<&'a Node>, scope: &Scope<'a, '_>) -> Answer<Option<&'a str>> {
        let item = match (left, scope.focus) {
            (Some(left), _) => match self.probe(left, scope)? {
                (item, false) => item,
                (_, true) => None,
            },
            (None, [item]) => Some(*item),
            (None, _) => None,
        };
        Ok(item.and_then(|item| self.text(&item)))
    }

    fn texts(&self, call: &'a Call, scope: &Scope<'a, '_>) -> Answer<Option<(&'a str, &'a str)>> {
        let first = self.argument_text(call, scope)?;
        let second = match call.arguments.get(1) {
            Some(argument) => self.single(argument, scope)?.and_then(|item| self.text(&item)),
            None => None,
        };
        Ok(first.zip(second))
    }

    pub(crate) fn string_test(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<bool>> {
        let Some(text) = self.subject(left, scope)? else { return Ok(None) };
        if let Some(pattern) = &call.pattern {
            return Ok(Some(pattern.is_match(text)));
        }
        let Some(argument) = self.argument_text(call, scope)? else { return Ok(None) };
        Ok(Some(match call.function {
            Function::StartsWith => text.starts_with(argument),
            Function::EndsWith => text.ends_with(argument),
            Function::Contains => text.contains(argument),
            _ => self.pattern(call, argument)?.is_match(text),
        }))
    }

    fn pattern<'r>(&self, call: &'r Call, text: &str) -> Answer<Cow<'r, Regex>> {
        match &call.pattern {
            Some(pattern) => Ok(Cow::Borrowed(pattern)),
            None => pattern(text, call.function).map(Cow::Owned).ok_or(Trouble::Pattern),
        }
    }

    /// Functions of one text with at most one result.
    pub(crate) fn string(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<Item<'a>>> {
        let Some(text) = self.subject(left, scope)? else { return Ok(None) };
        Ok(Some(match call.function {
            Function::Length => Item::Integer(letters(text)),
            Function::Upper => Item::String(self.keep(&text.to_uppercase())),
            Function::Lower => Item::String(self.keep(&text.to_lowercase())),
            Function::Trim => Item::String(text.trim()),
            Function::Substring => return self.substring(text, call, scope),
            Function::IndexOf | Function::LastIndexOf => {
                let Some(wanted) = self.argument_text(call, scope)? else { return Ok(None) };
                let first = call.function == Function::IndexOf;
                let place = if first { text.find(wanted) } else { text.rfind(wanted) };
                Item::Integer(place.and_then(|place| text.get(..place)).map_or(-1, letters))
            }
            Function::Replace => {
                let Some((wanted, other)) = self.texts(call, scope)? else { return Ok(None) };
                Item::String(self.keep(&text.replace(wanted, other)))
            }
            Function::ReplaceMatches => {
                let Some((wanted, other)) = self.texts(call, scope)? else { return Ok(None) };
                let replaced = self.pattern(call, wanted)?.replace_all(text, other).into_owned();
                Item::String(self.keep(&replaced))
            }
            _ => return Err(Trouble::Unsupported),
        }))
    }

    fn substring(&self, text: &'a str, call: &'a Call, scope: &Scope<'a, '_>) -> Answer<Option<Item<'a>>> {
        let mut numbers = [None, None];
        for (number, argument) in numbers.iter_mut().zip(&call.arguments) {
            let Some(item) = self.single(argument, scope)? else { return Ok(None) };
            *number = self.integer(&item)?;
        }
        let from = numbers[0].and_then(|from| usize::try_from(from).ok());
        let Some(rest) = from.and_then(|from| after(text, from)).filter(|rest| !rest.is_empty()) else {
            return Ok(None);
        };
        let kept = match numbers[1] {
            None => rest,
            Some(length) => {
                let end = usize::try_from(length).ok().and_then(|length| after(rest, length));
                let end = if length <= 0 { rest.len() } else { end.map_or(0, str::len) };
                rest.get(..rest.len() - end).unwrap_or("")
            }
        };
        Ok(Some(Item::String(kept)))
    }

    /// `toChars` and `split`.
    pub(crate) fn pieces(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        let Some(text) = self.subject(left, scope)? else { return Ok(Flow::More) };
        let separator = match call.arguments.is_empty() {
            true => Some(""),
            false => self.argument_text(call, scope)?,
        };
        let Some(separator) = separator else { return Ok(Flow::More) };
        // An empty separator also finds the ends.
        let inner = |piece: &&str| !separator.is_empty() || !piece.is_empty();
        for piece in text.split(separator).filter(inner) {
            if sink(Item::String(piece))? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }

    pub(crate) fn join(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<Item<'a>>> {
        let separator = match call.arguments.is_empty() {
            true => "",
            false => self.argument_text(call, scope)?.unwrap_or(""),
        };
        let items = self.inputs(left, scope)?;
        let texts: Vec<&str> = items.iter().filter_map(|item| self.text(item)).collect();
        let joined = || Item::String(self.keep(&texts.join(separator)));
        Ok((!texts.is_empty()).then(joined))
    }

    /// `&`: nothing counts as an empty text.
    pub(crate) fn concatenate(
        &self,
        left: &'a Node,
        right: &'a Node,
        scope: &Scope<'a, '_>,
    ) -> Answer<Item<'a>> {
        let (one, other) = (self.single(left, scope)?, self.single(right, scope)?);
        let text = |item: Option<Item<'a>>| item.and_then(|item| self.text(&item)).unwrap_or("");
        Ok(Item::String(match (text(one), text(other)) {
            (one, "") => one,
            ("", other) => other,
            (one, other) => self.keep(&format!("{one}{other}")),
        }))
    }
}

fn letters(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// What follows after so many letters; `None` if there are fewer.
fn after(text: &str, letters: usize) -> Option<&str> {
    let mut rest = text.chars();
    for _ in 0..letters {
        rest.next()?;
    }
    Some(rest.as_str())
}
