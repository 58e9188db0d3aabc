//! From bytes to a report.

use crate::codes::Codes;
use crate::invariant::Invariants;
use crate::issue::{Issue, Issues, Place};
use crate::profile::Profiles;
use crate::references::homes::Homes;
use crate::rules;
use crate::walk::{Walk, World};
use bumpalo::Bump;
use caregrid_json::{parse, Fault, Limits, Lines, Position};
use caregrid_schema::{LoadError, Schema};
use std::cell::Cell;

/// What is wanted of one validation.
#[derive(Clone, Debug)]
pub struct Options {
    /// Problems that are told at most.
    pub max_issues: usize,
    /// Arrays and objects inside one another.
    pub max_depth: u32,
    /// Canonical urls of profiles that the resource must follow, beside those that it claims to.
    pub profiles: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_issues: 100, max_depth: 100, profiles: Vec::new() }
    }
}

/// What a validation came to.
#[derive(Debug)]
pub struct Report {
    /// No problem is an error.
    pub valid: bool,
    /// The resource's type, if it is one that FHIR defines.
    pub resource_type: Option<String>,
    /// The problems, in the order of the content.
    pub findings: Vec<Finding>,
    /// Problems beyond those.
    pub more: usize,
}

/// A problem with its line and column.
#[derive(Debug)]
pub struct Finding {
    /// The problem.
    pub issue: Issue,
    /// Where.
    pub position: Position,
}

/// Judges content by one FHIR version. Threads may share it.
pub struct Validator {
    schema: Schema,
    invariants: Invariants,
    codes: Codes,
    profiles: Profiles,
}

impl Validator {
    /// For the definitions of one version.
    pub fn new(schema: Schema) -> Self {
        let (invariants, codes) = (Invariants::new(&schema), Codes::new(&schema));
        Self { invariants, codes, profiles: Profiles::new(&schema), schema }
    }

    /// Add profiles, value sets and code systems; see [`Schema::extend`].
    ///
    /// # Errors
    ///
    /// [`LoadError`] as there.
    pub fn extend(&mut self, fragment: &str) -> Result<(), LoadError> {
        self.schema.extend(fragment)?;
        self.invariants = Invariants::new(&self.schema);
        self.codes = Codes::new(&self.schema);
        self.profiles = Profiles::new(&self.schema);
        Ok(())
    }

    /// The definitions.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Judge one resource. Whatever the bytes are, there is a report.
    pub fn validate(&self, source: &[u8], options: &Options) -> Report {
        let arena = Bump::new();
        let mut issues = Issues::new(options.max_issues);
        let resource_type = match parse(source, &arena, Limits { depth: options.max_depth }) {
            Ok(json) => {
                let json = &*arena.alloc(json);
                let homes = Homes::new(&self.schema, json);
                let world = World {
                    schema: &self.schema,
                    invariants: &self.invariants,
                    codes: &self.codes,
                    profiles: &self.profiles,
                    homes: &homes,
                    asked: &options.profiles,
                    depth: Cell::new(0),
                    arena: &arena,
                };
                let known = json.text("resourceType").and_then(|name| self.schema.resource(name));
                let name = known.map(|id| self.schema.shape(id).name.as_str());
                Walk { world: &world, issues: &mut issues, owner: None }
                    .resource(json, &Place::root(name.unwrap_or("Resource")));
                name.map(str::to_owned)
            }
            Err(fault) => {
                refuse(&mut issues, fault);
                None
            }
        };
        let valid = !issues.is_invalid();
        let (found, more) = issues.finish();
        Report { valid, resource_type, findings: place(source, found), more }
    }
}

fn refuse(issues: &mut Issues, fault: Fault) {
    issues.add(rules::JSON, fault.kind.text(), &Place::root("Resource"), fault.at);
}

fn place(source: &[u8], found: Vec<Issue>) -> Vec<Finding> {
    if found.is_empty() {
        return Vec::new();
    }
    let lines = Lines::new(source);
    found.into_iter().map(|issue| Finding { position: lines.position(issue.at), issue }).collect()
}
