//! Invariants that are written by hand answer as their expressions do.

mod common;

use bumpalo::Bump;
use caregrid_fhirpath::{Context, Element, Expression};
use caregrid_schema::Schema;

const KEYS: [&str; 7] = ["ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "ref-1"];

const REFERENCES: [&str; 7] = [
    "{}",
    r##"{"reference": "#a"}"##,
    r##"{"reference": "#"}"##,
    r##"{"reference": "#b", "_reference": {"extension": [{"url": "u", "valueUri": "#a"}]}}"##,
    r##"{"reference": "Patient/1"}"##,
    r##"{"_reference": {"extension": [{"url": "u", "valueString": "#a"}]}}"##,
    r##"{"reference": "#a", "type": "#a", "identifier": {"system": "#c", "value": "#d"}}"##,
];

const CONTAINED: [&str; 9] = [
    r##"[]"##,
    r##"[{"resourceType": "Patient", "id": "a"}]"##,
    r##"[{"resourceType": "Patient"}]"##,
    r##"[{"resourceType": "Patient", "id": "a", "managingOrganization": {"reference": "#"}}]"##,
    r##"[{"resourceType": "Patient", "id": "z", "managingOrganization": {"reference": "#"}}]"##,
    r##"[{"resourceType": "Patient", "id": "a", "managingOrganization": {"reference": "#b"}},
        {"resourceType": "Organization", "id": "b", "meta": {"versionId": "1"}}]"##,
    r##"[{"resourceType": "Patient", "id": "d", "implicitRules": "#", "meta": {"security": [{"code": "x"}]}}]"##,
    r##"[{"resourceType": "Questionnaire", "id": "c", "derivedFrom": ["#"], "meta": {"lastUpdated": "2020"}}]"##,
    r##"[{"resourceType": "List", "id": "b", "contained": [{"resourceType": "Patient", "id": "a"}]}]"##,
];

const EXTENSIONS: [&str; 6] = [
    "[]",
    r#"[{"url": "u"}]"#,
    r##"[{"url": "u", "valueUri": "#a"}]"##,
    r##"[{"url": "u", "valueCanonical": "#c", "extension": [{"url": "v"}]}]"##,
    r#"[{"id": "x"}]"#,
    r#"[{}, {"url": "u", "_valueDate": {"id": "x"}}]"#,
];

fn documents() -> Vec<String> {
    let mut documents = Vec::new();
    for reference in REFERENCES {
        for contained in CONTAINED {
            for extension in EXTENSIONS {
                documents.push(format!(
                    r#"{{"resourceType": "Observation", "id": "o", "contained": {contained},
                    "extension": {extension}, "subject": {reference},
                    "status": "final", "_status": {{"id": "s"}}, "note": [{{"id": "only"}}, {{}}]}}"#
                ));
            }
        }
    }
    documents
}

struct Comparison<'a> {
    schema: &'a Schema,
    rules: Vec<(&'a str, Expression)>,
}

impl Comparison<'_> {
    fn all_answers(&self, text: &str) -> [usize; 2] {
        let arena = Bump::new();
        let root = Element::resource(self.schema, common::document(&arena, text)).expect("a resource");
        let mut answers = [0, 0];
        // The expressions have to outlive the document's context.
        let context = Context::new(self.schema, &arena, root);
        self.compare(root, &context, &mut answers, text);
        answers
    }

    fn compare<'a>(
        &'a self,
        element: Element<'a>,
        context: &Context<'a, '_>,
        answers: &mut [usize; 2],
        text: &str,
    ) {
        for (key, rule) in &self.rules {
            let known = rule.holds(element, context);
            assert_eq!(
                known,
                rule.holds_by_evaluation(element, context),
                "{key} of {} in {text}",
                element.name
            );
            answers[usize::from(known == Ok(true))] += 1;
        }
        for child in element.children(self.schema) {
            match child.is_resource(self.schema) {
                true => self.compare(child, &context.within(child, context.resource), answers, text),
                false => self.compare(child, context, answers, text),
            }
        }
    }
}

#[test]
fn known_invariants_answer_as_their_expressions() {
    let versions = ["4.0", "4.3", "5.0"].map(common::schema);
    // Each version's texts are tried on the instances of every other.
    for schema in &versions {
        let invariants = versions.iter().flat_map(|schema| &schema.invariants);
        let invariants = invariants.filter(|one| KEYS.contains(&one.key.as_str()));
        let rules: Vec<_> = invariants
            .map(|one| (one.key.as_str(), Expression::parse(&one.expression, schema).expect("sound")))
            .collect();
        assert!(rules.iter().all(|(_, rule)| rule.is_known()), "an invariant has another text");
        let comparison = Comparison { schema, rules };
        let mut totals = [0, 0];
        for text in documents() {
            let answers = comparison.all_answers(&text);
            totals = [totals[0] + answers[0], totals[1] + answers[1]];
        }
        assert!(totals[0] > 1_000 && totals[1] > 1_000, "{totals:?} are too few to prove anything");
    }
}
