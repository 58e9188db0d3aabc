//! Items, one by one.

use super::{Answer, Flow, Machine, Scope, Sink};
use crate::element::Element;
use crate::item::{Item, Quantity};
use crate::syntax::{Literal, Node, Operator, TypeName, Variable};
use crate::trouble::Trouble;

impl<'a> Machine<'a, '_> {
    /// Hand each item that a node finds to a sink, until that has enough.
    pub(crate) fn each(
        &self,
        node: &'a Node,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        match node {
            Node::Literal(literal) => literal_item(literal).map_or(Ok(Flow::More), sink),
            Node::This => pour(scope.focus, sink),
            Node::Index => scope.index.map(Item::Integer).map_or(Ok(Flow::More), sink),
            Node::Total => pour(scope.total, sink),
            Node::Variable(variable) => self.variable(variable)?.map_or(Ok(Flow::More), sink),
            Node::Path(left, name) => {
                self.input(left.as_deref(), scope, &mut |item| self.step(&item, name, sink))
            }
            Node::Start(shape) => {
                let of = TypeName::Fhir(*shape);
                self.input(None, scope, &mut |item| {
                    if self.is(&item, of) {
                        sink(item)
                    } else {
                        Ok(Flow::More)
                    }
                })
            }
            Node::Call(left, call) => self.call(left.as_deref(), call, scope, sink),
            Node::At(left, index) => self.at(left, index, scope, sink),
            Node::Binary(operator, left, right) => self.binary(*operator, left, right, scope, sink),
            Node::Is(..) => self.pass_truth(node, scope, sink),
            Node::As(operand, of) => self.each(operand, scope, &mut |item| {
                if self.is(&item, *of) {
                    sink(item)
                } else {
                    Ok(Flow::More)
                }
            }),
            Node::Minus(operand) => match self.single(operand, scope)? {
                Some(item) => sink(self.negative(&item)?),
                None => Ok(Flow::More),
            },
        }
    }

    /// What a function or step applies to.
    pub(crate) fn input(
        &self,
        left: Option<&'a Node>,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        match left {
            Some(left) => self.each(left, scope, sink),
            None => pour(scope.focus, sink),
        }
    }

    /// The only item that a function applies to, if there is any.
    pub(crate) fn only(&self, left: Option<&'a Node>, scope: &Scope<'a, '_>) -> Answer<Option<Item<'a>>> {
        match (left, scope.focus) {
            (Some(left), _) => self.single(left, scope),
            (None, []) => Ok(None),
            (None, [item]) => Ok(Some(*item)),
            (None, _) => Err(Trouble::Many),
        }
    }

    /// Everything that a function applies to.
    pub(crate) fn inputs(&self, left: Option<&'a Node>, scope: &Scope<'a, '_>) -> Answer<Vec<Item<'a>>> {
        left.map_or_else(|| Ok(scope.focus.to_vec()), |left| self.list(left, scope))
    }

    fn step(&self, item: &Item<'a>, name: &str, sink: &mut Sink<'_, 'a>) -> Answer<Flow> {
        let Item::Element(element) = item else { return Ok(Flow::More) };
        self.context.spend()?;
        if name == "value" && element.primitive(self.context.schema).is_some() {
            return self.system(item)?.map_or(Ok(Flow::More), sink);
        }
        pour_elements(element.child(self.context.schema, name), sink)
    }

    pub(crate) fn children(&self, item: &Item<'a>, sink: &mut Sink<'_, 'a>) -> Answer<Flow> {
        let Item::Element(element) = item else { return Ok(Flow::More) };
        self.context.spend()?;
        pour_elements(element.children(self.context.schema), sink)
    }

    pub(crate) fn descendants(&self, item: &Item<'a>, sink: &mut Sink<'_, 'a>) -> Answer<Flow> {
        // As deep as the document, which its parser bounds, within a `where` of another as deep again.
        self.children(item, &mut |child| match sink(child)? {
            Flow::Enough => Ok(Flow::Enough),
            Flow::More => self.descend(|| self.descendants(&child, sink)),
        })
    }

    fn variable(&self, variable: &'a Variable) -> Answer<Option<Item<'a>>> {
        match variable {
            Variable::Context => Ok(Some(self.origin)),
            Variable::Resource => Ok(Some(Item::Element(self.context.resource))),
            Variable::RootResource => Ok(Some(Item::Element(self.context.root_resource))),
            Variable::Extension => Ok(self.context.extension.map(Item::Element)),
            Variable::Text(text) => Ok(Some(Item::String(text))),
            Variable::Unknown => Err(Trouble::Unsupported),
        }
    }

    fn at(
        &self,
        left: &'a Node,
        index: &'a Node,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        match self.single(index, scope)?.map(|index| self.integer(&index)).transpose()?.flatten() {
            Some(wanted) => self.nth(Some(left), wanted, scope, sink),
            None => Ok(Flow::More),
        }
    }

    pub(crate) fn nth(
        &self,
        left: Option<&'a Node>,
        wanted: i64,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        let (mut at, mut found) = (0, None);
        self.input(left, scope, &mut |item| {
            if at == wanted {
                found = Some(item);
                return Ok(Flow::Enough);
            }
            at += 1;
            Ok(Flow::More)
        })?;
        found.map_or(Ok(Flow::More), sink)
    }

    fn binary(
        &self,
        operator: Operator,
        left: &'a Node,
        right: &'a Node,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        let item = match operator {
            Operator::Union => return self.union(left, right, scope, sink),
            Operator::Concatenate => Some(self.concatenate(left, right, scope)?),
            Operator::Plus
            | Operator::Minus
            | Operator::Times
            | Operator::Divide
            | Operator::Div
            | Operator::Mod => self.calculate(operator, left, right, scope)?,
            _ => self.operate(operator, left, right, scope)?.map(Item::Boolean),
        };
        item.map_or(Ok(Flow::More), sink)
    }

    pub(crate) fn pass_truth(
        &self,
        node: &'a Node,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        self.truth(node, scope)?.map(Item::Boolean).map_or(Ok(Flow::More), sink)
    }
}

/// Hand over what is there already.
pub(crate) fn pour<'a>(items: &[Item<'a>], sink: &mut Sink<'_, 'a>) -> Answer<Flow> {
    for item in items {
        if sink(*item)? == Flow::Enough {
            return Ok(Flow::Enough);
        }
    }
    Ok(Flow::More)
}

fn pour_elements<'a>(elements: impl Iterator<Item = Element<'a>>, sink: &mut Sink<'_, 'a>) -> Answer<Flow> {
    for element in elements {
        if sink(Item::Element(element))? == Flow::Enough {
            return Ok(Flow::Enough);
        }
    }
    Ok(Flow::More)
}

fn literal_item(literal: &Literal) -> Option<Item<'_>> {
    Some(match literal {
        Literal::Empty => return None,
        Literal::Boolean(truth) => Item::Boolean(*truth),
        Literal::Integer(number) => Item::Integer(*number),
        Literal::Decimal(number) => Item::Decimal(*number),
        Literal::String(text) => Item::String(text),
        Literal::Date(moment) => Item::Date(*moment),
        Literal::DateTime(moment) => Item::DateTime(*moment),
        Literal::Time(moment) => Item::Time(*moment),
        Literal::Quantity(value, unit) => Item::Quantity(Quantity { value: *value, unit }),
    })
}
