//! Makes shapes of structures.

use crate::form::{self, Definitions, Structure};
use crate::shape::{Binding, ElementDef, Property, Shape, ShapeId, Sort, Strength, TypeUse};
use crate::Schema;
use caregrid_values::Primitive;
use flate2::read::GzDecoder;
use std::collections::HashMap;
use std::fmt;
use std::io::Read;

/// Why definitions were not loaded.
#[derive(Debug)]
pub enum LoadError {
    /// They cannot be unpacked or read.
    Damaged(String),
    /// They are of another form; make them anew with the `scripts/make-definitions` of this version.
    OtherForm(u32),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(why) => write!(f, "the definitions are damaged: {why}"),
            Self::OtherForm(form) => {
                write!(f, "the definitions have form {form}, this build reads form {}", form::FORM)
            }
        }
    }
}

impl std::error::Error for LoadError {}

pub(crate) fn load(packed: &[u8]) -> Result<Schema, LoadError> {
    let mut text = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut text).map_err(|error| LoadError::Damaged(error.to_string()))?;
    build(read(&text)?)
}

pub(crate) fn extend(schema: &mut Schema, fragment: &str) -> Result<(), LoadError> {
    let mut definitions = read(fragment.as_bytes())?;
    // Elements name invariants by their places, which are others now.
    let offset = schema.invariants.len() as u32;
    let elements = definitions.structures.iter_mut().flat_map(|structure| &mut structure.elements);
    elements.flat_map(|element| &mut element.invariants).for_each(|place| *place += offset);
    schema.invariants.append(&mut definitions.invariants);
    schema.structures.extend(definitions.structures.into_iter().map(|one| (one.url.clone(), one)));
    schema.value_sets.append(&mut definitions.value_sets);
    schema.code_systems.append(&mut definitions.code_systems);
    Ok(())
}

fn read(text: &[u8]) -> Result<Definitions, LoadError> {
    let definitions: Definitions =
        serde_json::from_slice(text).map_err(|error| LoadError::Damaged(error.to_string()))?;
    match definitions.form {
        form::FORM => Ok(definitions),
        other => Err(LoadError::OtherForm(other)),
    }
}

fn build(definitions: Definitions) -> Result<Schema, LoadError> {
    let mut builder = Builder::default();
    let types: Vec<&Structure> = definitions.structures.iter().filter(|one| !one.constraint).collect();
    for structure in &types {
        builder.announce(structure);
    }
    for structure in &types {
        builder.fill(structure)?;
    }
    Ok(Schema {
        version: definitions.version,
        sources: definitions.sources,
        shapes: builder.shapes,
        by_name: builder.by_name,
        invariants: definitions.invariants,
        structures: definitions.structures.into_iter().map(|one| (one.url.clone(), one)).collect(),
        value_sets: definitions.value_sets,
        code_systems: definitions.code_systems,
    })
}

#[derive(Default)]
struct Builder {
    shapes: Vec<Shape>,
    by_name: HashMap<String, ShapeId>,
    by_url: HashMap<String, ShapeId>,
    by_path: HashMap<String, ShapeId>,
}

impl Builder {
    /// Give the type, and each nameless type inside it, a place, so that types may refer to one another.
    fn announce(&mut self, structure: &Structure) {
        let id =
            self.add(&structure.type_name, &structure.type_name, sort_of(structure), structure.is_abstract);
        self.by_name.insert(structure.type_name.clone(), id);
        self.by_url.insert(structure.url.clone(), id);
        for element in &structure.elements[1..] {
            if let Some(inner) = nameless_type(structure, element) {
                self.add(&element.path, inner, Sort::Complex, false);
            }
        }
    }

    fn add(&mut self, path: &str, type_name: &str, sort: Sort, is_abstract: bool) -> ShapeId {
        let id = self.shapes.len() as ShapeId;
        self.shapes.push(Shape {
            name: path.to_owned(),
            type_name: type_name.to_owned(),
            sort,
            is_abstract,
            base: None,
            elements: Vec::new(),
            properties: HashMap::new(),
            invariants: Vec::new(),
        });
        self.by_path.insert(path.to_owned(), id);
        id
    }

    fn fill(&mut self, structure: &Structure) -> Result<(), LoadError> {
        let root = self.by_name[&structure.type_name];
        self.shapes[root as usize].base =
            structure.base.as_ref().and_then(|url| self.by_url.get(url).copied());
        self.shapes[root as usize].invariants = structure.elements[0].invariants.clone();
        for element in &structure.elements[1..] {
            self.fill_element(element)?;
        }
        Ok(())
    }

    fn fill_element(&mut self, element: &form::Element) -> Result<(), LoadError> {
        let (parent, last) = element.path.rsplit_once('.').ok_or_else(|| broken(&element.path))?;
        let owner = *self.by_path.get(parent).ok_or_else(|| broken(&element.path))?;
        let types = self.types_of(element)?;
        if let Some(id) = self.by_path.get(&element.path).copied() {
            let base = self.by_name.get(&self.shapes[id as usize].type_name).copied();
            self.shapes[id as usize].base = base;
            // Rules on such an element hold wherever its type is used, content references included.
            self.shapes[id as usize].invariants = element.invariants.clone();
        }
        let name = last.strip_suffix("[x]").unwrap_or(last).to_owned();
        let place = self.shapes[owner as usize].elements.len() as u16;
        for (choice, used) in types.iter().enumerate() {
            let key = if last.ends_with("[x]") {
                choice_name(&name, &self.shapes[used.shape as usize].name)
            } else {
                name.clone()
            };
            let property = Property { element: place, shape: used.shape, choice: choice as u16 };
            self.shapes[owner as usize].properties.insert(key, property);
        }
        self.shapes[owner as usize].elements.push(ElementDef {
            choice: last.ends_with("[x]"),
            name,
            path: element.path.clone(),
            min: element.min,
            max: element.max,
            types,
            binding: element.binding.as_ref().map(Binding::from),
            invariants: if self.by_path.contains_key(&element.path) {
                Vec::new()
            } else {
                element.invariants.clone()
            },
            modifier: element.modifier,
            max_length: element.max_length,
        });
        Ok(())
    }

    fn types_of(&self, element: &form::Element) -> Result<Vec<TypeUse>, LoadError> {
        if let Some(id) = self.by_path.get(&element.path) {
            return Ok(vec![TypeUse { shape: *id, profiles: Vec::new(), targets: Vec::new() }]);
        }
        if let Some(reference) = &element.content_reference {
            let path = reference.rsplit('#').next().unwrap_or(reference);
            let shape = *self.by_path.get(path).ok_or_else(|| broken(path))?;
            return Ok(vec![TypeUse { shape, profiles: Vec::new(), targets: Vec::new() }]);
        }
        element.types.iter().map(|one| self.type_use(one)).collect()
    }

    fn type_use(&self, one: &form::TypeRef) -> Result<TypeUse, LoadError> {
        let shape = *self.by_name.get(&one.code).ok_or_else(|| broken(&one.code))?;
        Ok(TypeUse { shape, profiles: one.profiles.clone(), targets: one.targets.clone() })
    }
}

fn sort_of(structure: &Structure) -> Sort {
    match (structure.kind.as_str(), Primitive::named(&structure.type_name)) {
        ("resource", _) => Sort::Resource,
        (_, Some(primitive)) => Sort::Primitive(primitive),
        _ => Sort::Complex,
    }
}

/// `BackboneElement` or `Element` where an element has children of its own in this definition.
fn nameless_type<'s>(structure: &'s Structure, element: &'s form::Element) -> Option<&'s str> {
    let prefix = format!("{}.", element.path);
    let has_children = structure.elements.iter().any(|other| other.path.starts_with(&prefix));
    has_children.then(|| element.types.first().map_or("Element", |one| one.code.as_str()))
}

fn choice_name(name: &str, type_name: &str) -> String {
    let mut letters = type_name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    name.chars().chain(first).chain(letters).collect()
}

impl From<&form::Binding> for Binding {
    fn from(written: &form::Binding) -> Self {
        let strength = match written.strength.as_str() {
            "required" => Strength::Required,
            "extensible" => Strength::Extensible,
            "preferred" => Strength::Preferred,
            _ => Strength::Example,
        };
        Self { strength, value_set: written.value_set.clone(), max: written.max.clone() }
    }
}

fn broken(what: &str) -> LoadError {
    LoadError::Damaged(format!("nothing defines {what}"))
}
