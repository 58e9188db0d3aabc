//! Evaluation: each step hands its items to the next.

mod arithmetic;
mod boundary;
mod call;
mod compare;
mod conversion;
mod convert;
mod fhir;
mod filter;
mod sets;
mod stream;
mod strings;
mod truth;

use crate::context::Context;
use crate::item::Item;
use crate::syntax::Node;
use crate::trouble::Trouble;
use std::cell::Cell;

pub(crate) type Answer<T> = Result<T, Trouble>;

/// Whether whoever takes the items wants more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    More,
    Enough,
}

/// Takes items.
pub(crate) type Sink<'s, 'a> = dyn FnMut(Item<'a>) -> Answer<Flow> + 's;

/// What names without a path before them, `$this`, `$index` and `$total` mean.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a, 's> {
    pub focus: &'s [Item<'a>],
    pub index: Option<i64>,
    pub total: &'s [Item<'a>],
}

impl<'a, 's> Scope<'a, 's> {
    pub(crate) fn on(focus: &'s [Item<'a>]) -> Self {
        Self { focus, index: None, total: &[] }
    }

    /// For one round of an iteration.
    pub(crate) fn round<'i>(&self, item: &'i Item<'a>, index: i64) -> Scope<'a, 'i>
    where
        's: 'i,
    {
        Scope { focus: std::slice::from_ref(item), index: Some(index), total: self.total }
    }
}

/// One evaluation.
pub(crate) struct Machine<'a, 'c> {
    pub context: &'c Context<'a, 'c>,
    /// `%context`.
    pub origin: Item<'a>,
    descents: Cell<u32>,
}

/// How deep descents into the instance may stand within one another, as the stack holds them.
const DEEPEST: u32 = 250;

impl<'a, 'c> Machine<'a, 'c> {
    pub(crate) fn new(context: &'c Context<'a, '_>, origin: Item<'a>) -> Self {
        context.begin();
        Self { context, origin, descents: Cell::new(0) }
    }

    pub(crate) fn truth_of(&self, node: &'a Node) -> Answer<Option<bool>> {
        self.truth(node, &Scope::on(&[self.origin]))
    }

    pub(crate) fn items_of(&self, node: &'a Node) -> Answer<Vec<Item<'a>>> {
        self.list(node, &Scope::on(&[self.origin]))
    }

    /// Everything a node finds.
    pub(crate) fn list(&self, node: &'a Node, scope: &Scope<'a, '_>) -> Answer<Vec<Item<'a>>> {
        let mut items = Vec::new();
        self.each(node, scope, &mut |item| {
            items.push(item);
            Ok(Flow::More)
        })?;
        Ok(items)
    }

    /// The first item, and whether there are more.
    pub(crate) fn probe(&self, node: &'a Node, scope: &Scope<'a, '_>) -> Answer<(Option<Item<'a>>, bool)> {
        let (mut first, mut more) = (None, false);
        self.each(node, scope, &mut |item| {
            if first.is_some() {
                more = true;
                return Ok(Flow::Enough);
            }
            first = Some(item);
            Ok(Flow::More)
        })?;
        Ok((first, more))
    }

    /// The only item, if there is any (FHIRPath §4.5, singleton evaluation).
    pub(crate) fn single(&self, node: &'a Node, scope: &Scope<'a, '_>) -> Answer<Option<Item<'a>>> {
        match self.probe(node, scope)? {
            (_, true) => Err(Trouble::Many),
            (item, false) => Ok(item),
        }
    }

    /// Go one level down, and back.
    pub(crate) fn descend(&self, go: impl FnOnce() -> Answer<Flow>) -> Answer<Flow> {
        let deep = self.descents.get() + 1;
        if deep > DEEPEST {
            return Err(Trouble::Work);
        }
        self.descents.set(deep);
        let flow = go();
        self.descents.set(deep - 1);
        flow
    }

    /// A text in the arena.
    pub(crate) fn keep(&self, text: &str) -> &'a str {
        self.context.arena.alloc_str(text)
    }
}
