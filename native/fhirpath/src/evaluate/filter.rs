//! Filtering, projection and subsetting (FHIRPath §5.2, §5.3, §5.8, §7).

use super::stream::pour;
use super::{Answer, Flow, Machine, Scope, Sink};
use crate::element::Element;
use crate::item::Item;
use crate::syntax::{Call, Function, Node};
use crate::trouble::Trouble;
use std::collections::HashSet;

impl<'a> Machine<'a, '_> {
    pub(crate) fn project(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        match (call.function, call.arguments.first()) {
            (Function::OfType | Function::As, _) => self.input(left, scope, &mut |item| {
                if self.is(&item, call.of) {
                    sink(item)
                } else {
                    Ok(Flow::More)
                }
            }),
            (Function::Children, _) => self.input(left, scope, &mut |item| self.children(&item, sink)),
            (Function::Descendants, _) => self.input(left, scope, &mut |item| self.descendants(&item, sink)),
            (Function::Where, Some(criteria)) => self.filter(left, criteria, scope, sink),
            (Function::Select, Some(projection)) => {
                let mut index = 0;
                self.input(left, scope, &mut |item| {
                    index += 1;
                    self.each(projection, &scope.round(&item, index - 1), sink)
                })
            }
            (Function::Repeat, Some(projection)) => self.repeat(left, projection, scope, sink),
            // `trace` shows a developer what passes by; here nobody looks.
            _ => self.input(left, scope, sink),
        }
    }

    fn filter(
        &self,
        left: Option<&'a Node>,
        criteria: &'a Node,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        let mut index = 0;
        self.input(left, scope, &mut |item| {
            index += 1;
            match self.truth(criteria, &scope.round(&item, index - 1))? {
                Some(true) => sink(item),
                _ => Ok(Flow::More),
            }
        })
    }

    /// `repeat`: what the projection finds, what it finds in that, and so on, each once.
    fn repeat(
        &self,
        left: Option<&'a Node>,
        projection: &'a Node,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        let mut waiting = self.inputs(left, scope)?;
        let mut seen = Seen::default();
        while !waiting.is_empty() {
            let mut found = Vec::new();
            for item in &waiting {
                self.each(projection, &scope.round(item, 0), &mut |item| {
                    self.context.spend()?;
                    if seen.is_new(self, &item)? {
                        found.push(item);
                    }
                    Ok(Flow::More)
                })?;
            }
            if pour(&found, sink)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
            waiting = found;
        }
        Ok(Flow::More)
    }

    pub(crate) fn pick(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        match (call.function, call.arguments.first()) {
            (Function::Iif, _) => self.choose(left, call, scope, sink),
            (Function::Aggregate, Some(aggregator)) => self.aggregate(left, call, aggregator, scope, sink),
            (Function::Single, _) => self.only(left, scope)?.map_or(Ok(Flow::More), sink),
            (Function::First, _) => self.nth(left, 0, scope, sink),
            (Function::Last, _) => self.last(left, scope, sink),
            (Function::Tail, _) => self.slice(left, 1, i64::MAX, scope, sink),
            (Function::Skip, Some(number)) => {
                let number = self.wanted_integer(number, scope)?;
                self.slice(left, number.max(0), i64::MAX, scope, sink)
            }
            (Function::Take, Some(number)) => {
                let number = self.wanted_integer(number, scope)?;
                self.slice(left, 0, number, scope, sink)
            }
            _ => Err(Trouble::Unsupported),
        }
    }

    fn wanted_integer(&self, node: &'a Node, scope: &Scope<'a, '_>) -> Answer<i64> {
        let item = self.single(node, scope)?.ok_or(Trouble::Types)?;
        self.integer(&item)?.ok_or(Trouble::Types)
    }

    fn last(&self, left: Option<&'a Node>, scope: &Scope<'a, '_>, sink: &mut Sink<'_, 'a>) -> Answer<Flow> {
        let mut last = None;
        self.input(left, scope, &mut |item| {
            last = Some(item);
            Ok(Flow::More)
        })?;
        last.map_or(Ok(Flow::More), sink)
    }

    /// The items from a place on, so many of them.
    fn slice(
        &self,
        left: Option<&'a Node>,
        from: i64,
        number: i64,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        let end = from.saturating_add(number);
        let (mut at, mut outer) = (0, Flow::More);
        self.input(left, scope, &mut |item| {
            if at >= end {
                return Ok(Flow::Enough);
            }
            if at >= from {
                outer = sink(item)?;
            }
            at += 1;
            Ok(outer)
        })?;
        Ok(outer)
    }

    /// `iif`, whose arguments apply to the whole input (HL7's own ctm-1 needs that).
    fn choose(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        let input = self.inputs(left, scope)?;
        let inner = Scope { focus: &input, ..*scope };
        let [criterion, results @ ..] = call.arguments.as_slice() else { return Err(Trouble::Unsupported) };
        let result = match self.truth(criterion, &inner)? {
            Some(true) => results.first(),
            _ => results.get(1),
        };
        result.map_or(Ok(Flow::More), |result| self.each(result, &inner, sink))
    }

    fn aggregate(
        &self,
        left: Option<&'a Node>,
        call: &'a Call,
        aggregator: &'a Node,
        scope: &Scope<'a, '_>,
        sink: &mut Sink<'_, 'a>,
    ) -> Answer<Flow> {
        let mut total = match call.arguments.get(1) {
            Some(start) => self.list(start, scope)?,
            None => Vec::new(),
        };
        let mut index = 0;
        self.input(left, scope, &mut |item| {
            let next = {
                let round = Scope { focus: &[item], index: Some(index), total: &total };
                self.list(aggregator, &round)?
            };
            total = next;
            index += 1;
            Ok(Flow::More)
        })?;
        pour(&total, sink)
    }
}

/// What `repeat` found already: elements by their place, values by equality.
#[derive(Default)]
struct Seen<'a> {
    elements: HashSet<*const caregrid_json::Json<'a>>,
    values: Vec<Item<'a>>,
}

impl<'a> Seen<'a> {
    fn is_new(&mut self, machine: &Machine<'a, '_>, item: &Item<'a>) -> Answer<bool> {
        if let Item::Element(element) = item {
            return Ok(self.elements.insert(place(element)));
        }
        for one in &self.values {
            if machine.equal(one, item)? == Some(true) {
                return Ok(false);
            }
        }
        self.values.push(*item);
        Ok(true)
    }
}

fn place<'a>(element: &Element<'a>) -> *const caregrid_json::Json<'a> {
    element.value.or(element.shadow).map_or(std::ptr::null(), std::ptr::from_ref)
}
