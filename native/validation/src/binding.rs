//! Codes against the value sets and systems that they must be from.

use crate::codes::{is_code_of, Membership, UCUM};
use crate::issue::{Place, Rule};
use crate::rules;
use crate::walk::Walk;
use caregrid_fhirpath::Element;
use caregrid_json::Json;
use caregrid_schema::{Binding, Strength};

const STRANGER: &str = "the code is not in the value set that it must be from";
const DISTANT: &str = "the code is not in the value set that it should be from";
const MISSING: &str = "there is no code, and one of the value set is required";
const NOT_CHECKED: &str =
    "whether the code is in the value set was not checked: the definitions do not list it";

impl<'a> Walk<'a, '_> {
    /// Check an element against its binding.
    pub(crate) fn bound(&mut self, element: &Element<'a>, binding: &Binding, place: &Place<'_>) {
        let (Some(value), Some(url)) = (element.value, binding.value_set.as_deref()) else { return };
        if matches!(binding.strength, Strength::Required | Strength::Extensible) {
            let required = binding.strength == Strength::Required;
            self.bound_to(element, value, url, required, place);
        }
        if let Some(max) = binding.max.as_deref() {
            self.bound_to(element, value, max, true, place);
        }
    }

    pub(crate) fn bound_to(
        &mut self,
        element: &Element<'a>,
        value: &'a Json<'a>,
        url: &str,
        required: bool,
        place: &Place<'_>,
    ) {
        match self.membership(element, value, url) {
            Some(membership) => self.judge(membership, url, required, place, value.at),
            None if required && self.schema().shape(element.shape).name == "CodeableConcept" => {
                self.issues.add_keyed(rules::REQUIRED_BINDING, Some(url), MISSING, place, value.at);
            }
            None => {}
        }
    }

    /// Whether an element's code belongs to a value set; `None` without a code.
    pub(crate) fn membership(
        &self,
        element: &Element<'a>,
        value: &'a Json<'a>,
        url: &str,
    ) -> Option<Membership> {
        let schema = self.schema();
        match schema.shape(element.shape).name.as_str() {
            "CodeableConcept" => self.concept(value, url),
            "CodeableReference" => self.concept(value.get("concept")?, url),
            "Coding" | "Quantity" | "Age" | "Duration" | "Distance" | "Count" => self.coded(value, url),
            _ => Some(self.codes().has_plain(schema, url, value.as_str()?)),
        }
    }

    fn judge(&mut self, membership: Membership, url: &str, required: bool, place: &Place<'_>, at: u32) {
        match membership {
            Membership::Member => {}
            Membership::Stranger if required => {
                self.issues.add_keyed(rules::REQUIRED_BINDING, Some(url), STRANGER, place, at);
            }
            Membership::Stranger => {
                self.issues.add_keyed(rules::EXTENSIBLE_BINDING, Some(url), DISTANT, place, at)
            }
            Membership::Unknown => {
                let rule =
                    if required { rules::REQUIRED_NOT_CHECKED } else { rules::TERMINOLOGY_NOT_CHECKED };
                self.issues.add_keyed(rule, Some(url), NOT_CHECKED, place, at);
            }
        }
    }

    /// Note what could not be checked once, not for each element.
    pub(crate) fn once(&mut self, rule: Rule, key: &str, text: &'static str, place: &Place<'_>, at: u32) {
        if !self.issues.has(rule, key) {
            self.issues.add_keyed(rule, Some(key), text, place, at);
        }
    }

    /// The best of a concept's codings; `None` without any.
    fn concept(&self, value: &'a Json<'a>, url: &str) -> Option<Membership> {
        let codings = value.get("coding")?.elements();
        let found: Vec<Membership> = codings.iter().filter_map(|coding| self.coded(coding, url)).collect();
        if found.contains(&Membership::Member) {
            return Some(Membership::Member);
        }
        found.contains(&Membership::Unknown).then_some(Membership::Unknown).or(found.first().copied())
    }

    fn coded(&self, value: &'a Json<'a>, url: &str) -> Option<Membership> {
        let code = value.text("code")?;
        Some(match value.text("system") {
            Some(system) => self.codes().has(self.schema(), url, system, code),
            None => match self.codes().has_plain(self.schema(), url, code) {
                // A code without a system says nothing.
                Membership::Member => Membership::Stranger,
                other => other,
            },
        })
    }

    /// Check that a Coding's code is one of its system's.
    pub(crate) fn coding(&mut self, element: &Element<'a>, place: &Place<'_>) {
        let Some(value) = element.value else { return };
        let Some(system) = value.text("system") else { return };
        let at = value.get("system").map_or(value.at, |system| system.at);
        if !system.contains(':') {
            self.issues.add(
                rules::CODE_SYSTEM,
                "a system is an absolute URI",
                &place.inner("system", None),
                at,
            );
        } else if self.schema().value_sets.contains_key(system)
            && !self.schema().code_systems.contains_key(system)
        {
            let text = "this names a value set, and not a code system";
            self.issues.add(rules::CODE_SYSTEM, text, &place.inner("system", None), at);
        }
        let Some(code) = value.text("code") else { return };
        if is_code_of(self.schema(), system, code) == Some(false) {
            let text = "the code system does not have this code";
            let is_unit = self.schema().shape(element.shape).name != "Coding";
            let rule = if is_unit || system == UCUM { rules::UNKNOWN_UNIT } else { rules::UNKNOWN_CODE };
            self.issues.add_keyed(rule, Some(system), text, &place.inner("code", None), value.at);
        }
    }
}
