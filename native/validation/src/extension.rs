//! Extensions: whose definition is known, and where they may stand.

use crate::issue::Place;
use crate::rules;
use crate::walk::{Owner, Walk};
use caregrid_fhirpath::Element;
use caregrid_json::Json;
use caregrid_schema::form::{self, ExtensionContext, Structure};
use caregrid_schema::{Schema, ShapeId, Sort};

/// Where HL7 keeps its own: what is not there does not exist.
const HL7: &str = "http://hl7.org/fhir/StructureDefinition/";

/// HL7's own definitions of R5 use it, and its packages do not define it.
const IMPLEMENTS: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-implements";

/// Domains of examples, whose extensions nobody defines.
const EXAMPLES: [&str; 2] = ["://example.org/", "://acme.com/"];

/// R5's names for what all resources with a canonical url have; no resource builds on them.
const INTERFACES: [&str; 2] = ["CanonicalResource", "MetadataResource"];

/// Resources and types that define others.
const DEFINITIONS: [&str; 10] = [
    "CapabilityStatement",
    "CodeSystem",
    "ConceptMap",
    "ElementDefinition",
    "ImplementationGuide",
    "OperationDefinition",
    "SearchParameter",
    "StructureDefinition",
    "StructureMap",
    "ValueSet",
];

const MODIFIER: &str = "modifierExtension";

impl<'a> Walk<'a, '_> {
    /// Check an extension against its definition.
    pub(crate) fn extension(&mut self, element: &Element<'a>, place: &Place<'_>) {
        let Some(json) = element.value else { return };
        // Without a url the walk has said so already.
        let Some(url) = json.text("url") else { return };
        if place.parent.is_some_and(|parent| is_extension(parent.name)) {
            return; // a part of an extension, which the whole one looks at
        }
        let modifier = place.name == MODIFIER;
        match self.schema().structures.get(url).filter(|known| known.type_name == "Extension") {
            Some(definition) => self.known_extension(json, definition, modifier, place),
            None => self.unknown_extension(json, url, modifier, place),
        }
    }

    fn unknown_extension(&mut self, json: &Json<'a>, url: &str, modifier: bool, place: &Place<'_>) {
        if !url.contains(':') {
            self.issues.add(rules::EXTENSION, "an extension's url is absolute", place, json.at);
        } else if modifier && !EXAMPLES.iter().any(|domain| url.contains(domain)) {
            let text =
                "this modifier extension is not known, and may change the meaning of what it stands in";
            self.issues.add(rules::UNKNOWN_MODIFIER, text, place, json.at);
        } else if url.starts_with(HL7) && url != IMPLEMENTS {
            self.issues.add(rules::EXTENSION, "HL7 defines no extension of this url", place, json.at);
        } else {
            self.issues.add(
                rules::UNKNOWN_EXTENSION,
                "this extension is not known, and was not checked",
                place,
                json.at,
            );
        }
    }

    fn known_extension(
        &mut self,
        json: &'a Json<'a>,
        definition: &'a Structure,
        modifier: bool,
        place: &Place<'_>,
    ) {
        let Some(root) = definition.elements.first() else { return };
        if root.modifier != modifier {
            let text = match modifier {
                true => "this extension is no modifier; it stands in extension",
                false => "this extension modifies what it stands in; it stands in modifierExtension",
            };
            self.issues.add_keyed(rules::EXTENSION, Some(&definition.url), text, place, json.at);
        }
        if let Some(owner) = self.owner.filter(|owner| !is_definition(self.schema(), owner)) {
            if !stands_well(self.schema(), definition, &owner) {
                let text = "this extension may not stand in this element";
                self.issues.add_keyed(rules::EXTENSION, Some(&definition.url), text, place, json.at);
            }
        }
        self.extension_parts(json, definition, "Extension", place);
    }

    /// Values and parts of an extension, or of one of its parts, by the ids of its definition.
    fn extension_parts(
        &mut self,
        json: &'a Json<'a>,
        definition: &'a Structure,
        id: &str,
        place: &Place<'_>,
    ) {
        self.extension_value(json, definition, id, place);
        let prefix = format!("{id}.extension:");
        let slices: Vec<&form::Element> = definition
            .elements
            .iter()
            .filter(|element| {
                element
                    .id
                    .as_deref()
                    .and_then(|own| own.strip_prefix(&prefix))
                    .is_some_and(|rest| !rest.contains('.'))
            })
            .collect();
        if slices.is_empty() {
            return;
        }
        let parts = json.get("extension").map_or(&[][..], |parts| parts.elements());
        for (index, part) in parts.iter().enumerate() {
            let inner = place.inner("extension", Some(index));
            let slice = slices.iter().find(|slice| part.text("url") == self.part_url(definition, slice));
            match slice.and_then(|slice| slice.id.as_deref()) {
                Some(own) => self.extension_parts(part, definition, own, &inner),
                None if part.text("url").is_some_and(|url| url.contains(':')) => {}
                None => {
                    let text = "the extension's definition has no part of this url";
                    self.issues.add_keyed(rules::EXTENSION, Some(&definition.url), text, &inner, part.at);
                }
            }
        }
        for slice in slices {
            let url = self.part_url(definition, slice);
            let count = parts.iter().filter(|part| part.text("url") == url).count() as u32;
            if count < slice.min || slice.max.is_some_and(|most| count > most) {
                let text =
                    "a part of the extension stands here less or more often than its definition allows";
                self.issues.add_keyed(rules::EXTENSION, Some(&definition.url), text, place, json.at);
            }
        }
    }

    fn part_url<'d>(&self, definition: &'d Structure, slice: &'d form::Element) -> Option<&'d str> {
        let wanted = format!("{}.url", slice.id.as_deref()?);
        let url = definition.elements.iter().find(|element| element.id.as_deref() == Some(&wanted));
        url.and_then(|element| element.fixed.as_ref())
            .and_then(|fixed| fixed.as_str())
            .or(slice.slice.as_deref())
    }

    /// A code as an extension's value.
    fn extension_binding(&mut self, json: &'a Json<'a>, value: &'a form::Element, place: &Place<'_>) {
        let Some(form::Binding { strength, value_set: Some(url), .. }) = &value.binding else { return };
        let Some(shape) = self.schema().named("Extension").map(|id| self.schema().shape(id)) else { return };
        for member in json.members() {
            let Some(property) =
                shape.properties.get(member.name).filter(|_| member.name.starts_with("value"))
            else {
                continue;
            };
            let element = Element {
                name: member.name,
                shape: property.shape,
                value: Some(&member.value),
                shadow: None,
            };
            if matches!(strength.as_str(), "required" | "extensible") {
                self.bound_to(
                    &element,
                    &member.value,
                    url,
                    strength == "required",
                    &place.inner("value", None),
                );
            }
        }
    }

    fn extension_value(
        &mut self,
        json: &'a Json<'a>,
        definition: &'a Structure,
        id: &str,
        place: &Place<'_>,
    ) {
        let wanted = format!("{id}.value[x]");
        let Some(value) =
            definition.elements.iter().find(|one| one.id.as_deref().unwrap_or(&one.path) == wanted)
        else {
            return;
        };
        let written = json
            .members()
            .iter()
            .find_map(|member| member.name.trim_start_matches('_').strip_prefix("value"));
        let text = match written {
            Some(_) if value.max == Some(0) => "this extension has parts, and no value",
            Some(name) if !value.types.iter().any(|one| one.code.eq_ignore_ascii_case(name)) => {
                "this extension has no value of this type"
            }
            None if value.min > 0 => "this extension has a value",
            _ => return self.extension_binding(json, value, place),
        };
        self.issues.add_keyed(rules::EXTENSION, Some(&definition.url), text, place, json.at);
    }
}

/// Whether an extension's definition lets it stand in an element. Contexts that are no elements of this FHIR version
/// (interfaces, profiles, FHIRPath) are not looked at.
fn stands_well(schema: &Schema, definition: &Structure, owner: &Owner<'_>) -> bool {
    definition.context.is_empty() || definition.context.iter().any(|context| allows(schema, context, owner))
}

fn allows(schema: &Schema, context: &ExtensionContext, owner: &Owner<'_>) -> bool {
    let wanted = context.expression.as_str();
    if context.kind != "element" {
        let url =
            owner.members.iter().find(|member| member.name == "url").and_then(|member| member.value.as_str());
        return context.kind != "extension" || url == Some(wanted);
    }
    let first = wanted.split(['.', '[']).next().unwrap_or_default();
    let Some(named) = schema.named(first).filter(|_| !wanted.contains("://")) else { return true };
    // R5's interfaces are types without descendants; which resources have them is not in the definitions.
    if is_interface(schema, named) {
        return true;
    }
    let shape = schema.shape(owner.shape);
    let path = owner.def.map(|def| def.path.as_str());
    path == Some(wanted)
        || shape.name == wanted
        || builds_on(schema, owner.shape, wanted)
        || inherited(schema, path, wanted)
}

fn is_interface(schema: &Schema, shape: ShapeId) -> bool {
    let shape = schema.shape(shape);
    shape.sort == Sort::Resource
        && shape.is_abstract
        && !matches!(shape.name.as_str(), "Resource" | "DomainResource")
}

/// Whether an element is part of a definition. HL7's own definitions do not keep to the contexts of their extensions.
fn is_definition(schema: &Schema, owner: &Owner<'_>) -> bool {
    let path = owner.def.map_or(schema.shape(owner.shape).name.as_str(), |def| &def.path);
    let first = path.split('.').next().unwrap_or_default();
    DEFINITIONS.contains(&first)
}

/// Whether a type is another, or builds on it; every type but resources builds on Element.
fn builds_on(schema: &Schema, shape: ShapeId, wanted: &str) -> bool {
    let found = schema.shape(shape);
    let complex = found.sort != Sort::Resource;
    (complex && wanted == "Element")
        || (INTERFACES.contains(&wanted) && found.properties.contains_key("url") && !complex)
        || schema.named(wanted).is_some_and(|ancestor| schema.is_a(shape, ancestor))
}

/// Whether an element is the one of that name of a type that its own type builds on: `Quantity.code` of `Age`.
fn inherited(schema: &Schema, path: Option<&str>, wanted: &str) -> bool {
    let (Some((own, name)), Some((ancestor, other))) =
        (path.and_then(|path| path.rsplit_once('.')), wanted.rsplit_once('.'))
    else {
        return false;
    };
    match (schema.named(own), schema.named(ancestor)) {
        (Some(own), Some(ancestor)) => name == other && schema.is_a(own, ancestor),
        _ => false,
    }
}

fn is_extension(name: &str) -> bool {
    name == "extension" || name == MODIFIER
}
