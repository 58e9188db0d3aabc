//! A snapshot as a tree of what it adds to the type.

use caregrid_schema::form::{self, Discriminator, Slicing, Structure, TypeRef};
use caregrid_schema::{Binding, ElementDef, InvariantId, Schema, ShapeId, Strength};
use serde_json::Value;
use std::collections::HashMap;

/// A profile.
pub(crate) struct Profile {
    pub url: String,
    /// The type it constrains; `None` if the schema does not have it.
    pub shape: Option<ShapeId>,
    pub root: Node,
}

/// An element of a profile, or a slice of one.
pub(crate) struct Node {
    /// Without `[x]`.
    pub name: String,
    /// The slice's own name; `None` of an element.
    pub slice: Option<String>,
    /// Of a choice, only this one: `valueQuantity`.
    pub choice: Option<String>,
    pub min: u32,
    pub max: Option<u32>,
    /// The type asks for as many itself.
    pub base_min: u32,
    /// JSON writes an array.
    pub list: bool,
    /// Empty where the profile leaves the type's own.
    pub types: Vec<TypeRef>,
    pub fixed: Option<Value>,
    pub pattern: Option<Value>,
    pub min_value: Option<Value>,
    pub max_value: Option<Value>,
    pub max_length: Option<u32>,
    pub binding: Option<Binding>,
    pub invariants: Vec<InvariantId>,
    pub slicing: Option<Slicing>,
    pub slices: Vec<Node>,
    pub children: Vec<Node>,
}

impl Node {
    /// How its slices are told apart.
    pub(crate) fn discriminators(&self) -> &[Discriminator] {
        self.slicing.as_ref().map_or(&[], |slicing| &slicing.discriminator)
    }

    fn says_nothing(&self, base: Option<&ElementDef>) -> bool {
        let Some(base) = base else { return false };
        let values = [&self.fixed, &self.pattern, &self.min_value, &self.max_value];
        self.children.is_empty()
            && self.slices.is_empty()
            && self.types.is_empty()
            && self.invariants.is_empty()
            && self.binding.is_none()
            && self.max_length.is_none()
            && values.iter().all(|value| value.is_none())
            && self.min <= base.min
            && self.max == base.max
    }
}

pub(crate) fn build(schema: &Schema, structure: &Structure) -> Profile {
    let shape = schema.named(&structure.type_name);
    let builder = Builder { schema, elements: &structure.elements, inside: inside(&structure.elements) };
    let root = builder.root(shape, &structure.type_name);
    Profile { url: structure.url.clone(), shape, root }
}

/// Which elements stand in which, by place.
fn inside(elements: &[form::Element]) -> HashMap<usize, Vec<usize>> {
    let places: HashMap<&str, usize> =
        elements.iter().enumerate().map(|(place, element)| (id_of(element), place)).collect();
    let mut inside: HashMap<usize, Vec<usize>> = HashMap::new();
    for (place, element) in elements.iter().enumerate() {
        let outer = outer_id(id_of(element)).and_then(|outer| places.get(outer));
        // Elements come after what they stand in; anything else would be no tree.
        if let Some(outer) = outer.filter(|outer| **outer < place) {
            inside.entry(*outer).or_default().push(place);
        }
    }
    inside
}

fn id_of(element: &form::Element) -> &str {
    element.id.as_deref().unwrap_or(&element.path)
}

/// The element that a slice is one of, the slice that a slice is part of, or else the parent.
fn outer_id(id: &str) -> Option<&str> {
    let parent = id.rfind('.').map_or(0, |dot| dot + 1);
    let last = id.get(parent..)?;
    let end = match (last.rfind('/'), last.find(':')) {
        (Some(slash), Some(colon)) if slash > colon => parent + slash,
        (_, Some(colon)) => parent + colon,
        _ => parent.checked_sub(1)?,
    };
    id.get(..end)
}

fn is_slice(id: &str) -> bool {
    id.rsplit('.').next().is_some_and(|last| last.contains(':'))
}

struct Builder<'s> {
    schema: &'s Schema,
    elements: &'s [form::Element],
    inside: HashMap<usize, Vec<usize>>,
}

impl<'s> Builder<'s> {
    fn root(&self, shape: Option<ShapeId>, name: &str) -> Node {
        let mut root = match self.elements.first() {
            Some(element) => self.plain(element, None),
            None => self.plain(&NOTHING, None),
        };
        // How often a resource may be used is no matter of the resource.
        (root.min, root.max, root.types) = (0, None, Vec::new());
        name.clone_into(&mut root.name);
        self.fill(&mut root, 0, shape, None);
        root
    }

    /// What stands in an element: children, and slices, which have the element's definition.
    fn fill(&self, node: &mut Node, place: usize, own: Option<ShapeId>, def: Option<&'s ElementDef>) {
        for inner in self.inside.get(&place).into_iter().flatten().copied() {
            let Some(element) = self.elements.get(inner) else { continue };
            if is_slice(id_of(element)) {
                node.slices.push(self.slice(element, inner, own, def, node));
            } else if let Some(child) = self.child(element, inner, own) {
                node.children.push(child);
            }
        }
    }

    fn slice(
        &self,
        element: &form::Element,
        place: usize,
        own: Option<ShapeId>,
        def: Option<&'s ElementDef>,
        of: &Node,
    ) -> Node {
        let mut node = self.plain(element, def);
        node.list = of.list;
        // An element is checked by its node before it is by its slice.
        node.invariants.retain(|own| !of.invariants.contains(own));
        node.binding =
            node.binding.filter(|own| !of.binding.as_ref().is_some_and(|other| is_same(own, other)));
        node.base_min = 0;
        let name = element.slice.as_deref().unwrap_or_default();
        let typed =
            def.filter(|def| def.choice && name.starts_with(&def.name) && name.len() > def.name.len());
        node.choice = typed.map(|_| name.to_owned());
        if node.types.is_empty() && def.is_some_and(|def| def.choice) {
            node.types.clone_from(&element.types);
        }
        let shape = def.map_or(own, |def| self.inner_shape(element, def));
        self.fill(&mut node, place, shape, def);
        node
    }

    fn child(&self, element: &form::Element, place: usize, owner: Option<ShapeId>) -> Option<Node> {
        let last = element.path.rsplit('.').next().unwrap_or_default();
        let def = owner.and_then(|owner| self.def(owner, last));
        let mut node = self.plain(element, def);
        node.choice = def.filter(|def| def.choice && !last.ends_with("[x]")).map(|_| last.to_owned());
        let shape = def.and_then(|def| self.inner_shape(element, def));
        self.fill(&mut node, place, shape, def);
        (!node.says_nothing(def)).then_some(node)
    }

    fn def(&self, owner: ShapeId, written: &str) -> Option<&'s ElementDef> {
        let shape = self.schema.shape(owner);
        let name = written.strip_suffix("[x]").unwrap_or(written);
        let named = shape.elements.iter().find(|def| def.name == name);
        let chosen = || shape.elements.get(shape.properties.get(name)?.element as usize);
        named.or_else(chosen)
    }

    /// The type of the element, if it has one only.
    fn inner_shape(&self, element: &form::Element, def: &ElementDef) -> Option<ShapeId> {
        match (element.types.as_slice(), def.types.as_slice()) {
            (_, [one]) => Some(one.shape),
            ([one], _) => self.schema.named(&one.code),
            _ => None,
        }
    }

    fn plain(&self, element: &form::Element, def: Option<&ElementDef>) -> Node {
        let last = element.path.rsplit('.').next().unwrap_or_default();
        let name = def.map_or_else(|| last.strip_suffix("[x]").unwrap_or(last), |def| &def.name);
        Node {
            name: name.to_owned(),
            slice: element.slice.clone(),
            choice: None,
            min: element.min,
            max: element.max,
            base_min: def.map_or(0, |def| def.min),
            list: def.map_or(element.list.unwrap_or(element.max != Some(1)), ElementDef::is_list),
            types: self.types(element, def),
            fixed: element.fixed.clone(),
            pattern: element.pattern.clone(),
            min_value: element.min_value.clone(),
            max_value: element.max_value.clone(),
            max_length: element.max_length.filter(|own| def.is_none_or(|def| def.max_length != Some(*own))),
            binding: binding(element, def),
            invariants: own_invariants(element, def),
            slicing: element.slicing.clone(),
            slices: Vec::new(),
            children: Vec::new(),
        }
    }

    fn types(&self, element: &form::Element, def: Option<&ElementDef>) -> Vec<TypeRef> {
        let same = |def: &ElementDef| {
            def.types.len() == element.types.len()
                && element.types.iter().all(|own| {
                    let shape = self.schema.named(&own.code);
                    def.types.iter().any(|base| {
                        // Nameless types have shapes of their own.
                        (Some(base.shape) == shape || self.schema.shape(base.shape).type_name == own.code)
                            && base.profiles == own.profiles
                            && base.targets == own.targets
                    })
                })
        };
        if def.is_some_and(same) {
            return Vec::new();
        }
        element.types.clone()
    }
}

static NOTHING: form::Element = form::Element {
    id: None,
    path: String::new(),
    min: 0,
    max: None,
    list: None,
    types: Vec::new(),
    content_reference: None,
    binding: None,
    invariants: Vec::new(),
    fixed: None,
    pattern: None,
    min_value: None,
    max_value: None,
    max_length: None,
    modifier: false,
    slicing: None,
    slice: None,
};

/// What binds more than the type does; codes that are merely recommended are nobody's fault.
fn binding(element: &form::Element, def: Option<&ElementDef>) -> Option<Binding> {
    let own = Binding::from(element.binding.as_ref()?);
    if !matches!(own.strength, Strength::Required | Strength::Extensible) && own.max.is_none() {
        return None;
    }
    let base = def.and_then(|def| def.binding.as_ref());
    (!base.is_some_and(|base| is_same(base, &own))).then_some(own)
}

fn is_same(one: &Binding, other: &Binding) -> bool {
    one.strength == other.strength && one.value_set == other.value_set && one.max == other.max
}

fn own_invariants(element: &form::Element, def: Option<&ElementDef>) -> Vec<InvariantId> {
    let known = def.map_or(&[][..], |def| &def.invariants);
    element.invariants.iter().filter(|own| !known.contains(own)).copied().collect()
}
