//! Problems, and where they are.

use std::borrow::Cow;

/// How bad (<https://hl7.org/fhir/R4/valueset-issue-severity.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing more could be checked.
    Fatal,
    /// The content is not valid.
    Error,
    /// The content is valid, and perhaps not what was meant.
    Warning,
    /// Something to know, such as what could not be checked.
    Information,
}

impl Severity {
    /// FHIR's code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }

    /// Whether it makes the content invalid.
    pub fn is_error(self) -> bool {
        matches!(self, Self::Fatal | Self::Error)
    }
}

/// What kind of rule was broken, the FHIR issue type that says so, and how bad that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Short and stable: `unknown-element`.
    pub name: &'static str,
    /// <https://hl7.org/fhir/R4/valueset-issue-type.html>.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
}

impl Rule {
    /// A rule whose breach makes content invalid.
    pub const fn error(name: &'static str, code: &'static str) -> Self {
        Self { name, code, severity: Severity::Error }
    }

    /// A rule whose breach is worth a look.
    pub const fn warning(name: &'static str, code: &'static str) -> Self {
        Self { name, code, severity: Severity::Warning }
    }

    /// What could not be checked.
    pub const fn information(name: &'static str, code: &'static str) -> Self {
        Self { name, code, severity: Severity::Information }
    }
}

/// One problem. Its texts are ours or HL7's; nothing of the content is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Which kind of rule.
    pub rule: Rule,
    /// The invariant's key, or the canonical url of the value set or profile, where the rule is one of many.
    pub key: Option<String>,
    /// What is wrong.
    pub text: Cow<'static, str>,
    /// FHIRPath: `Observation.component[1].valueQuantity`.
    pub path: String,
    /// Byte offset.
    pub at: u32,
}

/// Where an element is. Places live on the stack, one inside the other; a path is written only for a problem.
#[derive(Clone, Copy)]
pub struct Place<'p> {
    /// What it is in.
    pub parent: Option<&'p Place<'p>>,
    /// Name of an element, from the definitions.
    pub name: &'p str,
    /// Its number, in an array.
    pub index: Option<usize>,
}

impl<'p> Place<'p> {
    /// The outermost.
    pub fn root(name: &'p str) -> Self {
        Self { parent: None, name, index: None }
    }

    /// An element inside this one.
    pub fn inner<'q>(&'q self, name: &'q str, index: Option<usize>) -> Place<'q> {
        Place { parent: Some(self), name, index }
    }

    /// FHIRPath.
    pub fn path(&self) -> String {
        let mut path = self.parent.map(|parent| parent.path() + ".").unwrap_or_default();
        path.push_str(self.name);
        if let Some(index) = self.index {
            path.push_str(&format!("[{index}]"));
        }
        path
    }
}

/// The problems found so far, bounded in number.
#[derive(Debug)]
pub struct Issues {
    found: Vec<Issue>,
    limit: usize,
    more: usize,
    invalid: bool,
}

impl Issues {
    /// None yet, and never more than that many.
    pub fn new(limit: usize) -> Self {
        Self { found: Vec::new(), limit, more: 0, invalid: false }
    }

    /// Note a problem.
    pub fn add(&mut self, rule: Rule, text: impl Into<Cow<'static, str>>, place: &Place<'_>, at: u32) {
        self.add_keyed(rule, None, text, place, at);
    }

    /// Note a problem with one rule of many.
    pub fn add_keyed(
        &mut self,
        rule: Rule,
        key: Option<&str>,
        text: impl Into<Cow<'static, str>>,
        place: &Place<'_>,
        at: u32,
    ) {
        self.invalid |= rule.severity.is_error();
        if self.found.len() >= self.limit && !self.make_room(rule) {
            self.more += 1;
            return;
        }
        let key = key.map(str::to_owned);
        let issue = Issue { rule, key, text: text.into(), path: place.path(), at };
        // A type and the profiles on it may all say the same.
        if !self.found.contains(&issue) {
            self.found.push(issue);
        }
    }

    /// Whether this rule was noted with this key.
    pub fn has(&self, rule: Rule, key: &str) -> bool {
        self.found.iter().any(|issue| issue.rule == rule && issue.key.as_deref() == Some(key))
    }

    /// Whether something makes the content invalid.
    pub fn is_invalid(&self) -> bool {
        self.invalid
    }

    /// The problems in the order of the content, and how many are left out.
    pub fn finish(mut self) -> (Vec<Issue>, usize) {
        self.found.sort_by_key(|issue| issue.at);
        (self.found, self.more)
    }

    /// A problem is never left out for the sake of a lesser one: errors stay, then warnings.
    fn make_room(&mut self, rule: Rule) -> bool {
        let rank =
            |rule: Rule| if rule.severity.is_error() { Severity::Error as u8 } else { rule.severity as u8 };
        let least = self.found.iter().map(|issue| rank(issue.rule)).max().unwrap_or_default();
        if least <= rank(rule) {
            return false;
        }
        if let Some(place) = self.found.iter().rposition(|issue| rank(issue.rule) == least) {
            self.found.remove(place);
            self.more += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFORMATION: Rule = Rule::information("i", "x");
    const WARNING: Rule = Rule::warning("w", "x");
    const ERROR: Rule = Rule::error("e", "x");

    fn kept(limit: usize, rules: &[Rule]) -> (String, usize) {
        let mut issues = Issues::new(limit);
        for (at, rule) in rules.iter().enumerate() {
            issues.add(*rule, "", &Place::root("Patient"), at as u32);
        }
        let (found, more) = issues.finish();
        (found.iter().map(|issue| issue.rule.name).collect(), more)
    }

    /// Where the list is full, errors push out what is less, and warnings what is no problem at all.
    #[test]
    fn the_gravest_stay() {
        let all = [INFORMATION, WARNING, ERROR, INFORMATION, WARNING, ERROR];
        assert_eq!(("iweiwe".to_owned(), 0), kept(6, &all));
        assert_eq!(("wewe".to_owned(), 2), kept(4, &all));
        assert_eq!(("wee".to_owned(), 3), kept(3, &all));
        assert_eq!(("ee".to_owned(), 4), kept(2, &all));
        assert_eq!(("e".to_owned(), 5), kept(1, &all));
    }
}
