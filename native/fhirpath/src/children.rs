//! Iteration over the children of an element.

use crate::element::{actual, Element};
use caregrid_json::{Json, Kind, Member};
use caregrid_schema::{Property, Schema, ShapeId, Sort};

/// The elements under one name.
#[derive(Clone)]
pub struct Items<'a> {
    schema: &'a Schema,
    name: &'a str,
    shape: ShapeId,
    value: Option<&'a Json<'a>>,
    shadow: Option<&'a Json<'a>>,
    at: usize,
    end: usize,
}

impl<'a> Items<'a> {
    pub(crate) fn none(schema: &'a Schema) -> Self {
        Self { schema, name: "", shape: 0, value: None, shadow: None, at: 0, end: 0 }
    }

    pub(crate) fn new(
        schema: &'a Schema,
        shape: ShapeId,
        name: &'a str,
        value: Option<&'a Json<'a>>,
        shadow: Option<&'a Json<'a>>,
    ) -> Self {
        let end = length(value).max(length(shadow));
        Self { schema, name, shape, value, shadow, at: 0, end }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        while self.at < self.end {
            let (value, shadow) = (part(self.value, self.at), part(self.shadow, self.at));
            self.at += 1;
            if value.is_some() || shadow.is_some() {
                let shape = actual(self.schema, self.shape, value);
                return Some(Element { name: self.name, shape, value, shadow });
            }
        }
        None
    }
}

/// All children of an element.
#[derive(Clone)]
pub struct Children<'a> {
    schema: &'a Schema,
    shape: ShapeId,
    members: &'a [Member<'a>],
    at: usize,
    current: Items<'a>,
}

impl<'a> Iterator for Children<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            if let Some(element) = self.current.next() {
                return Some(element);
            }
            let member = self.members.get(self.at)?;
            self.at += 1;
            self.current = self.items(member);
        }
    }
}

impl<'a> Children<'a> {
    pub(crate) fn new(schema: &'a Schema, shape: ShapeId, members: &'a [Member<'a>]) -> Self {
        Self { schema, shape, members, at: 0, current: Items::none(schema) }
    }

    fn items(&self, member: &'a Member<'a>) -> Items<'a> {
        let plain = plain(member.name);
        let Some(property) = self.schema.shape(self.shape).properties.get(plain) else {
            return Items::none(self.schema);
        };
        let (value, shadow) = match plain.len() == member.name.len() {
            true if is_primitive(self.schema, property) => pair(self.members, plain),
            true => (Some(&member.value), None),
            // Its value has it with it.
            false if self.members.iter().any(|other| other.name == plain) => (None, None),
            false => (None, Some(&member.value)),
        };
        Items::new(self.schema, property.shape, plain, value, shadow)
    }
}

fn is_primitive(schema: &Schema, property: &Property) -> bool {
    matches!(schema.shape(property.shape).sort, Sort::Primitive(_))
}

/// The value and the shadow of a name.
pub(crate) fn pair<'a>(
    members: &'a [Member<'a>],
    name: &str,
) -> (Option<&'a Json<'a>>, Option<&'a Json<'a>>) {
    let value = members.iter().find(|member| member.name == name);
    let shadow = members.iter().find(|member| member.name.strip_prefix('_') == Some(name));
    (value.map(|member| &member.value), shadow.map(|member| &member.value))
}

/// A JSON name without its underscore.
pub(crate) fn plain(written: &str) -> &str {
    written.strip_prefix('_').unwrap_or(written)
}

fn length(json: Option<&Json>) -> usize {
    match json.map(|json| json.kind) {
        Some(Kind::Array(elements)) => elements.len(),
        Some(Kind::Null) | None => 0,
        Some(_) => 1,
    }
}

fn part<'a>(json: Option<&'a Json<'a>>, at: usize) -> Option<&'a Json<'a>> {
    let one = match json?.kind {
        Kind::Array(elements) => elements.get(at),
        _ if at == 0 => json,
        _ => None,
    };
    one.filter(|one| !matches!(one.kind, Kind::Null))
}
