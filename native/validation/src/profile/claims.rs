//! Which profiles a resource has to follow.

use super::{without_version, Profile, HL7};
use crate::issue::Place;
use crate::rules;
use crate::walk::Walk;
use caregrid_fhirpath::{Context, Element};
use caregrid_json::Json;

const UNKNOWN: &str = "this profile is not known, and was not checked";
const NOT_HL7: &str = "HL7 defines no profile of this url";
const OTHER_TYPE: &str = "this profile is one of another type";
const NO_PROFILE: &str = "a profile is named by its canonical url";

impl<'a> Walk<'a, '_> {
    /// Check a resource against the profiles that it claims to follow, and those that its content calls for; against
    /// each once, however often it is named.
    pub(crate) fn claims(&mut self, element: Element<'a>, place: &Place<'_>, context: &Context<'a, '_>) {
        let Some(json) = element.value else { return };
        let claimed = json.get("meta").and_then(|meta| meta.get("profile")).map_or(&[][..], Json::elements);
        let mut known: Vec<&'a Profile> = Vec::new();
        for (index, claim) in claimed.iter().enumerate() {
            let Some(url) = claim.as_str() else { continue };
            let meta = place.inner("meta", None);
            known.extend(self.claim(element, url, claim.at, &meta.inner("profile", Some(index)), &known));
        }
        if self.schema().shape(element.shape).name == "Observation" {
            self.vital_signs(json, &mut known);
        }
        for profile in known {
            self.follow(element, profile, place, context);
        }
    }

    /// Check a resource against a profile that someone asked for.
    pub(crate) fn asked(
        &mut self,
        element: Element<'a>,
        url: &str,
        place: &Place<'_>,
        context: &Context<'a, '_>,
    ) {
        if self.world.profiles.get(self.schema(), url).is_some() {
            if let Some(profile) = self.claim(element, url, element.at(), place, &[]) {
                self.follow(element, profile, place, context);
            }
        } else if !self.is_own_type(element, url) {
            self.issues.add(rules::PROFILE_ASKED, UNKNOWN, place, element.at());
        }
    }

    /// The profile that a claim names, if it is one of this type and none of those already known.
    fn claim(
        &mut self,
        element: Element<'a>,
        url: &str,
        at: u32,
        claim: &Place<'_>,
        known: &[&'a Profile],
    ) -> Option<&'a Profile> {
        let schema = self.schema();
        let Some(profile) = self.world.profiles.get(schema, url) else {
            self.unknown_claim(element, url, at, claim);
            return None;
        };
        if !profile.shape.is_some_and(|shape| schema.is_a(element.shape, shape)) {
            self.issues.add_keyed(rules::PROFILE, Some(&profile.url), OTHER_TYPE, claim, at);
            return None;
        }
        (!is_among(profile, known)).then_some(profile)
    }

    fn unknown_claim(&mut self, element: Element<'a>, url: &str, at: u32, claim: &Place<'_>) {
        let known = self.schema().structures.contains_key(without_version(url));
        if self.is_own_type(element, url) {
        } else if known {
            self.issues.add(rules::PROFILE, OTHER_TYPE, claim, at);
        } else if url.starts_with(HL7) {
            // HL7's published value sets name some, so it cannot make content invalid.
            self.issues.add(rules::UNKNOWN_PROFILE, NOT_HL7, claim, at);
        } else if !url.contains(':') {
            self.issues.add(rules::PROFILE, NO_PROFILE, claim, at);
        } else {
            self.issues.add(rules::UNKNOWN_PROFILE, UNKNOWN, claim, at);
        }
    }

    /// Whether a url is that of the resource's type, or of what the type builds on.
    fn is_own_type(&self, element: Element<'a>, url: &str) -> bool {
        let schema = self.schema();
        let named = without_version(url).strip_prefix(HL7).and_then(|name| schema.named(name));
        named.is_some_and(|named| schema.is_a(element.shape, named))
    }

    fn vital_signs(&self, json: &'a Json<'a>, known: &mut Vec<&'a Profile>) {
        let codings = json.get("code").and_then(|code| code.get("coding")).map_or(&[][..], Json::elements);
        let loinc = codings.iter().filter(|coding| coding.text("system") == Some("http://loinc.org"));
        for code in loinc.filter_map(|coding| coding.text("code")) {
            let url = self.world.profiles.vital_sign(code);
            let profile = url.and_then(|url| self.world.profiles.get(self.schema(), url));
            known.extend(profile.filter(|profile| !is_among(profile, known)));
        }
    }
}

fn is_among(profile: &Profile, known: &[&Profile]) -> bool {
    known.iter().any(|one| one.url == profile.url)
}
