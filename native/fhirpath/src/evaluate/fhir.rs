//! What FHIR adds to the language: <https://hl7.org/fhir/R4/fhirpath.html#functions>.

use super::{Answer, Flow, Machine, Scope, Sink};
use crate::context::Resolved;
use crate::element::Element;
use crate::item::Item;
use crate::syntax::{Call, Function, Node, TypeName};
use crate::trouble::Trouble;
use caregrid_schema::ShapeId;
use caregrid_values::xhtml;

impl<'a> Machine<'a, '_> {
    pub(crate) fn fhir(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        match call.function {
            Function::Extension => {
                let Some(url) = self.argument_text(call, scope)? else { return Ok(Flow::More) };
                self.input(left, scope, &mut |item| self.extensions(&item, url, sink))
            }
            Function::GetValue => match self.only(left, scope)?.filter(|item| self.is_valued(item)) {
                Some(item) => self.system(&item)?.map_or(Ok(Flow::More), sink),
                None => Ok(Flow::More),
            },
            _ => self.input(left, scope, &mut |item| self.resolve(&item, sink)),
        }
    }

    /// The first argument of a function, as a text.
    pub(crate) fn argument_text(&self, call: &'a Call, scope: &Scope<'a, '_>) -> Answer<Option<&'a str>> {
        let argument = call.arguments.first().ok_or(Trouble::Unsupported)?;
        Ok(self.single(argument, scope)?.and_then(|item| self.text(&item)))
    }

    fn extensions(&self, item: &Item<'a>, url: &str, sink: &mut Sink<'_, 'a>) -> Answer<Flow> {
        let Item::Element(element) = item else { return Ok(Flow::More) };
        for extension in element.child(self.context.schema, "extension") {
            let wanted = extension.value.and_then(|value| value.text("url")) == Some(url);
            if wanted && sink(Item::Element(extension))? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }

    fn resolve(&self, item: &Item<'a>, sink: &mut Sink<'_, 'a>) -> Answer<Flow> {
        let Item::Element(element) = item else { return Err(Trouble::Unresolved) };
        let Some(reference) = self.reference(element) else { return Ok(Flow::More) };
        self.context.spend()?;
        match self.context.resolve(reference, element) {
            Resolved::Found(resource) => sink(Item::Element(resource)),
            Resolved::Nowhere => Ok(Flow::More),
            Resolved::Unknown => Err(Trouble::Unresolved),
        }
    }

    /// `is`. Of a reference that is not resolved, its text may still name the type.
    pub(crate) fn is_type(
        &self,
        left: Option<&'a Node>,
        of: TypeName,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<bool>> {
        match (self.only(left, scope), left) {
            (Err(Trouble::Unresolved), Some(Node::Call(left, call)))
                if call.function == Function::Resolve =>
            {
                let item = self.only(left.as_deref(), scope)?;
                let shape = item.and_then(|item| self.named_type(&item.element()?));
                let shape = shape.ok_or(Trouble::Unresolved)?;
                Ok(Some(matches!(of, TypeName::Fhir(of) if self.context.schema.is_a(shape, of))))
            }
            (item, _) => Ok(item?.map(|item| self.is(&item, of))),
        }
    }

    /// The resource type that a Reference names, as `Reference.type` or before the id.
    fn named_type(&self, element: &Element<'a>) -> Option<ShapeId> {
        let schema = self.context.schema;
        let said = element.value.and_then(|value| value.text("type")).and_then(|name| schema.resource(name));
        let reference = || self.reference(element)?.split("/_history/").next()?.rsplit('/').nth(1);
        said.or_else(|| schema.resource(reference()?))
    }

    /// Of a Reference its text, of a canonical or uri itself.
    fn reference(&self, element: &Element<'a>) -> Option<&'a str> {
        element.text().or_else(|| element.value.and_then(|value| value.text("reference")))
    }

    /// A primitive with a value, not only extensions.
    fn is_valued(&self, item: &Item<'a>) -> bool {
        match item {
            Item::Element(element) => {
                element.value.is_some() && element.primitive(self.context.schema).is_some()
            }
            _ => true,
        }
    }

    pub(crate) fn has_value(&self, left: Option<&'a Node>, scope: &Scope<'a, '_>) -> Answer<bool> {
        let (mut number, mut valued) = (0, false);
        self.input(left, scope, &mut |item| {
            number += 1;
            valued = self.is_valued(&item);
            Ok(if number > 1 { Flow::Enough } else { Flow::More })
        })?;
        Ok(number == 1 && valued)
    }

    pub(crate) fn fhir_test(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
    ) -> Answer<Option<bool>> {
        let Some(item) = self.only(left, scope)? else { return Ok(None) };
        let element = item.element().ok_or(Trouble::Types)?;
        if matches!(call.function, Function::HtmlChecks | Function::HtmlChecks2) {
            return Ok(Some(element.text().is_some_and(|text| xhtml::check(text).is_ok())));
        }
        let Some(url) = self.argument_text(call, scope)? else { return Ok(None) };
        let answer = match call.function {
            Function::MemberOf => self.context.terminology.and_then(|port| port.member_of(&element, url)),
            _ => self.context.profiles.and_then(|port| port.conforms_to(&element, url)),
        };
        answer.map(Some).ok_or(Trouble::Terminology)
    }
}
