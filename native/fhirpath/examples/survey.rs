//! Evaluates every invariant of every element of the resources named on standard input, and counts what broke.

use bumpalo::Bump;
use caregrid_fhirpath::{Context, Element, Expression};
use caregrid_schema::{ElementDef, InvariantId, Schema};
use std::collections::BTreeMap;
use std::io::BufRead;
#[path = "../tests/common/mod.rs"]
mod common;

struct Survey<'a> {
    schema: &'a Schema,
    rules: &'a [Option<Expression>],
    found: BTreeMap<String, (usize, String)>,
    evaluated: usize,
    at: String,
    spent: std::collections::HashMap<InvariantId, (u32, std::time::Duration)>,
}

impl<'a> Survey<'a> {
    fn note(&mut self, key: String) {
        let at = self.at.clone();
        let entry = self.found.entry(key).or_insert((0, String::new()));
        entry.0 += 1;
        if entry.1.len() < 300 && !entry.1.ends_with(&at) {
            entry.1 += " ";
            entry.1 += &at;
        }
    }
    fn check(&mut self, ids: &[InvariantId], element: Element<'a>, context: &Context<'a, '_>, path: &str) {
        for id in ids {
            let Some(rule) = &self.rules[*id as usize] else { continue };
            self.evaluated += 1;
            let invariant = &self.schema.invariants[*id as usize];
            let start = std::time::Instant::now();
            let answer = rule.holds(element, context);
            let spent = self.spent.entry(*id).or_default();
            spent.0 += 1;
            spent.1 += start.elapsed();
            match answer {
                Ok(true) => {}
                Ok(false) => {
                    let kind = if invariant.warning { "warn" } else { "ERROR" };
                    self.note(format!("{kind} {} @ {path} :: {}", invariant.key, invariant.expression))
                }
                Err(trouble) => self.note(format!("TROUBLE {trouble:?} {} @ {path}", invariant.key)),
            }
        }
    }
    fn walk(&mut self, element: Element<'a>, definition: Option<&'a ElementDef>, context: &Context<'a, '_>) {
        let mut shape = Some(element.shape);
        let name = &self.schema.shape(element.shape).name;
        while let Some(id) = shape {
            let one = self.schema.shape(id);
            self.check(&one.invariants, element, context, name);
            shape = one.base;
        }
        if let Some(definition) = definition {
            self.check(&definition.invariants, element, context, &definition.path);
        }
        for child in element.children(self.schema) {
            let shape = self.schema.shape(element.shape);
            let Some(property) = shape.properties.get(child.name) else { continue };
            let def = &shape.elements[property.element as usize];
            if child.is_resource(self.schema) {
                let root = if def.name == "contained" { context.resource } else { child };
                let inner = context.within(child, root);
                self.walk(child, Some(def), &inner);
            } else {
                self.walk(child, Some(def), context);
            }
        }
    }
}

fn main() {
    let version = std::env::args().nth(1).expect("version");
    let schema = common::schema(&version);
    let rules: Vec<Option<Expression>> = schema
        .invariants
        .iter()
        .map(|one| match Expression::parse(&one.expression, &schema) {
            Ok(expression) => Some(expression),
            Err(error) => {
                println!("PARSE {} {error}: {}", one.key, one.expression);
                None
            }
        })
        .collect();
    let mut survey = Survey {
        schema: &schema,
        rules: &rules,
        found: BTreeMap::new(),
        evaluated: 0,
        at: String::new(),
        spent: Default::default(),
    };
    let mut resources = 0;
    let mut time = std::time::Duration::ZERO;
    let mut found = BTreeMap::new();
    let mut evaluated = 0;
    let mut spent: std::collections::HashMap<InvariantId, (u32, std::time::Duration)> = Default::default();
    for path in std::io::stdin().lock().lines() {
        let path = path.expect("a line");
        let text = std::fs::read_to_string(&path).expect("readable");
        let arena = Bump::new();
        let json = common::document(&arena, &text);
        let mut survey = Survey {
            schema: &schema,
            rules: &rules,
            found: std::mem::take(&mut found),
            evaluated: 0,
            spent: std::mem::take(&mut spent),
            at: path.rsplit('/').next().unwrap_or("").to_owned(),
        };
        if let Some(root) = Element::resource(&schema, json) {
            resources += 1;
            let start = std::time::Instant::now();
            survey.walk(root, None, &Context::new(&schema, &arena, root));
            time += start.elapsed();
        }
        evaluated += survey.evaluated;
        found = survey.found;
        spent = survey.spent;
    }
    survey.found = found;
    println!(
        "{resources} resources, {evaluated} evaluations, {time:?}, {:?} each",
        time / evaluated.max(1) as u32
    );
    let mut costs: Vec<_> = spent.into_iter().collect();
    costs.sort_by_key(|one| std::cmp::Reverse(one.1 .1));
    for (id, (count, time)) in costs.iter().take(25) {
        println!(
            "{time:?} {count} times, {:?} each: {}",
            *time / *count,
            schema.invariants[*id as usize].key
        );
    }
    for (key, (count, at)) in &survey.found {
        println!("{count:6} {key}   [{at} ]");
    }
}
