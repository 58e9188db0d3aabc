//! Elements of an instance, seen through their definitions: which JSON belongs to which element, and of what type it is.
//!
//! An element is a few words on the stack; nothing of the document is copied, and navigation allocates nothing.

use caregrid_json::{Json, Kind, Member};
use caregrid_schema::{Property, Schema, ShapeId, Sort};
use caregrid_values::Primitive;

/// One element: a resource, a complex value, or a primitive with its shadow (`_name`).
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// JSON name without underscore (`valueQuantity`); of a root its type's name.
    pub name: &'a str,
    /// Its type; where any resource may stand, the one that `resourceType` names, if there is one.
    pub shape: ShapeId,
    /// What is written under the name; never `null`.
    pub value: Option<&'a Json<'a>>,
    /// What is written under the name with an underscore; never `null`.
    pub shadow: Option<&'a Json<'a>>,
}

impl<'a> Element<'a> {
    /// A value of a known type, without a shadow.
    pub fn new(schema: &'a Schema, shape: ShapeId, value: &'a Json<'a>) -> Self {
        let shape = actual(schema, shape, Some(value));
        Self { name: &schema.shape(shape).name, shape, value: Some(value), shadow: None }
    }

    /// The resource whose type its `resourceType` names; `None` if the schema has no such resource.
    pub fn resource(schema: &'a Schema, value: &'a Json<'a>) -> Option<Self> {
        let shape = schema.resource(value.text("resourceType")?)?;
        Some(Self { name: &schema.shape(shape).name, shape, value: Some(value), shadow: None })
    }

    /// Which primitive type it has, if it is of one.
    pub fn primitive(&self, schema: &Schema) -> Option<Primitive> {
        match schema.shape(self.shape).sort {
            Sort::Primitive(primitive) => Some(primitive),
            _ => None,
        }
    }

    /// Whether it is a resource.
    pub fn is_resource(&self, schema: &Schema) -> bool {
        schema.shape(self.shape).sort == Sort::Resource
    }

    /// The text of a JSON string.
    pub fn text(&self) -> Option<&'a str> {
        self.value.and_then(Json::as_str)
    }

    /// Byte offset of what is written.
    pub fn at(&self) -> u32 {
        self.value.or(self.shadow).map_or(0, |json| json.at)
    }

    /// The same element: the same place of the same document.
    pub fn same(&self, other: &Self) -> bool {
        let place = |element: &Self| element.value.or(element.shadow).map(std::ptr::from_ref);
        place(self) == place(other)
    }

    /// The members that hold its children: its own, or those of a primitive's shadow.
    pub fn members(&self) -> &'a [Member<'a>] {
        match self.value.map(|value| value.kind) {
            Some(Kind::Object(members)) => members,
            _ => self.shadow.map_or(&[], |shadow| shadow.members()),
        }
    }

    /// The children of that element name, in their order: `value` finds `valueQuantity`.
    pub fn child(&self, schema: &'a Schema, name: &str) -> Items<'a> {
        match self.find(schema, name) {
            Some((property, name, value, shadow)) => Items::new(schema, property.shape, name, value, shadow),
            None => Items::none(schema),
        }
    }

    /// The first child of that element name.
    pub fn only(&self, schema: &'a Schema, name: &str) -> Option<Element<'a>> {
        self.child(schema, name).next()
    }

    /// All children, in the order of the document. What the type does not define is left out.
    pub fn children(&self, schema: &'a Schema) -> Children<'a> {
        let members = self.members();
        Children { schema, shape: self.shape, members, at: 0, current: Items::none(schema) }
    }

    fn find(&self, schema: &'a Schema, name: &str) -> Option<Found<'a>> {
        let members = self.members();
        let (mut value, mut shadow, mut choice) = (None, None, false);
        for member in members {
            match likeness(member.name, name) {
                Likeness::Value => value = Some(member),
                Likeness::Shadow => shadow = Some(member),
                Likeness::Choice => choice = true,
                Likeness::None => {}
            }
        }
        if value.is_none() && shadow.is_none() {
            return if choice { self.find_choice(schema, name) } else { None };
        }
        let property = schema.shape(self.shape).properties.get(name)?;
        let plain = value.or(shadow).map_or("", |member| plain(member.name));
        Some((*property, plain, value.map(|one| &one.value), shadow.map(|one| &one.value)))
    }

    fn find_choice(&self, schema: &'a Schema, name: &str) -> Option<Found<'a>> {
        let (members, shape) = (self.members(), schema.shape(self.shape));
        members.iter().filter(|member| likeness(member.name, name) == Likeness::Choice).find_map(|member| {
            let plain = plain(member.name);
            let property = shape.properties.get(plain)?;
            let chosen = shape.elements.get(property.element as usize)?;
            let (value, shadow) = pair(members, plain);
            (chosen.choice && chosen.name == name).then_some((*property, plain, value, shadow))
        })
    }
}

type Found<'a> = (Property, &'a str, Option<&'a Json<'a>>, Option<&'a Json<'a>>);

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
    fn none(schema: &'a Schema) -> Self {
        Self { schema, name: "", shape: 0, value: None, shadow: None, at: 0, end: 0 }
    }

    fn new(
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
fn pair<'a>(members: &'a [Member<'a>], name: &str) -> (Option<&'a Json<'a>>, Option<&'a Json<'a>>) {
    let value = members.iter().find(|member| member.name == name);
    let shadow = members.iter().find(|member| member.name.strip_prefix('_') == Some(name));
    (value.map(|member| &member.value), shadow.map(|member| &member.value))
}

/// What a JSON name is to the name of an element, as far as letters tell.
#[derive(PartialEq, Eq)]
enum Likeness {
    None,
    Value,
    Shadow,
    /// `valueQuantity` or `_valueQuantity` to `value`.
    Choice,
}

#[inline]
fn likeness(written: &str, name: &str) -> Likeness {
    let (written, name) = (written.as_bytes(), name.as_bytes());
    if written.len() == name.len() {
        return if written == name { Likeness::Value } else { Likeness::None };
    }
    let shadowed = written.first() == Some(&b'_');
    let plain = if shadowed { written.get(1..).unwrap_or(&[]) } else { written };
    if shadowed && plain == name {
        return Likeness::Shadow;
    }
    match plain.get(name.len()) {
        Some(next) if next.is_ascii_uppercase() && plain.starts_with(name) => Likeness::Choice,
        _ => Likeness::None,
    }
}

/// A JSON name without its underscore.
fn plain(written: &str) -> &str {
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

/// The type that `resourceType` names where any resource may stand.
fn actual(schema: &Schema, shape: ShapeId, value: Option<&Json>) -> ShapeId {
    let declared = schema.shape(shape);
    if declared.sort != Sort::Resource || !declared.is_abstract {
        return shape;
    }
    let named = value.and_then(|value| value.text("resourceType"));
    named.and_then(|name| schema.resource(name)).unwrap_or(shape)
}
