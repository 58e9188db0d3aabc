//! Elements of an instance, seen through their definitions: which JSON belongs to which element, and of what type it is.
//!
//! An element is a few words on the stack; nothing of the document is copied, and navigation allocates nothing.

use crate::children::{pair, plain, Children, Items};
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
        Children::new(schema, self.shape, self.members())
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

/// The type that `resourceType` names where any resource may stand.
pub(crate) fn actual(schema: &Schema, shape: ShapeId, value: Option<&Json>) -> ShapeId {
    let declared = schema.shape(shape);
    if declared.sort != Sort::Resource || !declared.is_abstract {
        return shape;
    }
    let named = value.and_then(|value| value.text("resourceType"));
    named.and_then(|name| schema.resource(name)).unwrap_or(shape)
}
