//! The language, section by section (FHIRPath N1, and what FHIR adds).

mod common;

use bumpalo::Bump;
use caregrid_fhirpath::{Context, Element, Expression, Item, Trouble};
use caregrid_schema::Schema;
use std::sync::LazyLock;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| common::schema("4.0"));

const PATIENT: &str = r##"{
  "resourceType": "Patient", "id": "p",
  "contained": [{"resourceType": "Organization", "id": "org", "name": "Clinic"}],
  "extension": [
    {"url": "http://example.org/a", "valueInteger": 7},
    {"url": "http://example.org/b", "valueString": "b"}
  ],
  "active": true,
  "name": [
    {"use": "official", "family": "Chalmers", "given": ["Peter", "James"]},
    {"use": "usual", "given": ["Jim", null], "_given": [null, {"extension": [{"url": "http://e", "valueCode": "x"}]}]},
    {"use": "maiden", "family": "Windsor", "given": ["Peter", "James"]}
  ],
  "telecom": [{"rank": 1, "value": "a"}, {"rank": 2, "value": "b"}],
  "gender": "male",
  "birthDate": "1974-12-25",
  "_birthDate": {"extension": [{"url": "http://time", "valueDateTime": "1974-12-25T14:35:45-05:00"}]},
  "_deceasedBoolean": {"id": "none"},
  "multipleBirthInteger": 2,
  "managingOrganization": {"reference": "#org"},
  "generalPractitioner": [{"reference": "Practitioner/1"}, {"reference": "#gone"}, {"display": "nobody"}]
}"##;

const OBSERVATION: &str = r##"{
  "resourceType": "Observation", "status": "final",
  "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}], "text": "Weight"},
  "effectiveDateTime": "2016-03-28",
  "valueQuantity": {"value": 185.0, "unit": "lbs", "system": "http://unitsofmeasure.org", "code": "[lb_av]"},
  "component": [
    {"code": {"text": "c1"}, "valueQuantity": {"value": 1, "code": "mg"}},
    {"code": {"text": "c2"}, "valueCodeableConcept": {"text": "x", "coding": [{"code": "y", "system": "s"}]}}
  ]
}"##;

fn show(item: &Item) -> String {
    match item {
        Item::Element(element) => match (element.text(), element.value) {
            (Some(text), _) => format!("'{text}'"),
            (None, Some(value)) => match value.kind {
                caregrid_json::Kind::Number(text) => text.to_owned(),
                caregrid_json::Kind::Bool(truth) => truth.to_string(),
                _ => format!("<{}>", element.name),
            },
            (None, None) => format!("<_{}>", element.name),
        },
        Item::Boolean(truth) => truth.to_string(),
        Item::Integer(number) => number.to_string(),
        Item::Decimal(number) => number.to_string(),
        Item::String(text) => format!("'{text}'"),
        Item::Date(moment) => format!("@{:04}-{:02}-{:02}", moment.year, moment.month, moment.day),
        Item::DateTime(moment) | Item::Time(moment) => {
            format!(
                "@{:04}-{:02}-{:02}T{:02}:{:02}",
                moment.year, moment.month, moment.day, moment.hour, moment.minute
            )
        }
        Item::Quantity(quantity) => format!("{} '{}'", quantity.value, quantity.unit),
    }
}

fn run(document: &str, text: &str) -> String {
    let expression = match Expression::parse(text, &SCHEMA) {
        Ok(expression) => expression,
        Err(error) => return format!("{error:?}"),
    };
    let arena = Bump::new();
    let root = Element::resource(&SCHEMA, common::document(&arena, document)).expect("a known resource");
    match expression.evaluate(root, &Context::new(&SCHEMA, &arena, root)) {
        Ok(items) => items.iter().map(show).collect::<Vec<_>>().join(", "),
        Err(trouble) => format!("{trouble:?}"),
    }
}

fn table(document: &str, rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|(text, expected)| (text, expected, run(document, text)))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(text, expected, found)| format!("{text}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn paths() {
    table(
        PATIENT,
        &[
            ("name.family", "'Chalmers', 'Windsor'"),
            ("Patient.name.family", "'Chalmers', 'Windsor'"),
            ("DomainResource.active", "true"),
            ("Observation.status", ""),
            ("name.given", "'Peter', 'James', 'Jim', <_given>, 'Peter', 'James'"),
            ("name[1].given[1].extension.value", "'x'"),
            ("name[0].given[0]", "'Peter'"),
            ("name[7]", ""),
            ("multipleBirth", "2"),
            // The reference validator finds it by its JSON name as well.
            ("multipleBirthInteger", "2"),
            ("deceased", "<_deceasedBoolean>"),
            ("deceased.id", "'none'"),
            ("birthDate.extension.value", "'1974-12-25T14:35:45-05:00'"),
            ("contained.name", "'Clinic'"),
            ("`name`.`family`", "'Chalmers', 'Windsor'"),
            ("active.value", "true"),
            ("unknown", ""),
            ("unknown.more", ""),
            ("$this.gender", "'male'"),
            ("{}", ""),
        ],
    );
}

#[test]
fn literals() {
    table(
        PATIENT,
        &[
            ("'it\\'s'", "'it's'"),
            ("'\\u0041\\t\\\\'", "'A\t\\'"),
            ("\"double\"", "'double'"),
            ("1.50", "1.50"),
            ("-3", "-3"),
            ("@2015-02", "@2015-02-01"),
            ("@2015-02-04T14:34", "@2015-02-04T14:34"),
            ("@T14:30", "@0000-01-01T14:30"),
            ("@2015T", "@2015-01-01T00:00"),
            ("4 days", "4 'days'"),
            ("10 'mg'", "10 'mg'"),
            ("1 // a comment\n + /* another */ 1", "2"),
            ("%ucum", "'http://unitsofmeasure.org'"),
            ("%`vs-administrative-gender`", "'http://hl7.org/fhir/ValueSet/administrative-gender'"),
            ("%resource.id", "'p'"),
            ("%rootResource.id", "'p'"),
            ("%context.id", "'p'"),
            ("%extension", ""),
            ("%nothing", "Unsupported"),
        ],
    );
}

#[test]
fn binding_of_operators() {
    table(
        PATIENT,
        &[
            ("1 + 2 * 3", "7"),
            ("(1 + 2) * 3", "9"),
            ("-1 + 2", "1"),
            ("7 - 2 - 1", "4"),
            ("1 + 1 in (2 | 3)", "true"),
            ("1 | 2 = 3", "false"),
            ("2 in 1 | 2", "true"),
            ("1 < 2 = true", "true"),
            ("true or false and false", "true"),
            ("false and true or true", "true"),
            ("false implies false implies false", "false"),
            ("gender is code and true", "true"),
            ("true xor true or true", "true"),
        ],
    );
}

#[test]
fn faults_of_the_grammar() {
    for text in [
        "",
        "name.",
        "(name",
        "name)",
        "name[",
        "1 +",
        "'open",
        "name where",
        "@",
        "{",
        "a..b",
        "`x",
        "%",
        "$that",
        "a b",
    ] {
        assert!(Expression::parse(text, &SCHEMA).is_err(), "{text:?} is no expression");
    }
    for text in ["where()", "exists(a, b)", "substring()", "name.first(1)"] {
        assert!(run(PATIENT, text).starts_with("Arguments"), "{text:?} has the wrong number of arguments");
    }
}

#[test]
fn deep_nesting_is_refused() {
    for text in [
        format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        "-".repeat(10_000),
        format!("true{}", " and true".repeat(10_000)),
        format!("name{}", ".first()".repeat(7_000)),
        format!("1{}", "[0]".repeat(10_000)),
        format!("a{}", " is code".repeat(8_000)),
    ] {
        assert_eq!(run(PATIENT, &text), "TooLarge", "{}", &text[..30]);
    }
}

#[test]
fn three_valued_logic() {
    let word = ["true", "false", "{}"];
    let tables = [
        ("and", ["true", "false", "", "false", "false", "false", "", "false", ""]),
        ("or", ["true", "true", "true", "true", "false", "", "true", "", ""]),
        ("xor", ["false", "true", "", "true", "false", "", "", "", ""]),
        ("implies", ["true", "false", "", "true", "true", "true", "true", "", ""]),
    ];
    for (operator, answers) in tables {
        for (place, answer) in answers.iter().enumerate() {
            let text = format!("{} {operator} {}", word[place / 3], word[place % 3]);
            assert_eq!(run(PATIENT, &text), *answer, "{text}");
        }
    }
    table(
        PATIENT,
        &[
            ("true.not()", "false"),
            ("{}.not()", ""),
            ("gender.not()", "false"),
            ("gender and active", "true"),
            ("name and true", "Many"),
            ("name and false", "false"),
            ("name or true", "true"),
            ("deceased and true", ""),
        ],
    );
}

#[test]
fn existence() {
    table(
        PATIENT,
        &[
            ("name.exists()", "true"),
            ("photo.exists()", "false"),
            ("photo.empty()", "true"),
            ("name.exists(use = 'usual')", "true"),
            ("name.exists(use = 'old')", "false"),
            ("name.all(given.exists())", "true"),
            ("name.all(family.exists())", "false"),
            ("photo.all(false)", "true"),
            ("name.count()", "3"),
            ("name.select(family.exists()).allTrue()", "false"),
            ("name.select(family.exists()).anyTrue()", "true"),
            ("name.select(family.exists()).anyFalse()", "true"),
            ("name.select(family.exists()).allFalse()", "false"),
            ("{}.allTrue()", "true"),
            ("{}.anyTrue()", "false"),
            ("name.use.subsetOf('official' | 'usual' | 'maiden' | 'old')", "true"),
            ("name.use.subsetOf('official' | 'usual')", "false"),
            ("name.use.supersetOf('official' | 'usual')", "true"),
            ("name.family.isDistinct()", "true"),
            ("name.given.isDistinct()", "false"),
            ("name.given.distinct().count()", "4"),
            ("(1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 1.0 | 11).count()", "11"),
            ("gender.hasValue()", "true"),
            ("deceased.hasValue()", "false"),
            ("deceased.exists()", "true"),
            ("name.hasValue()", "false"),
            ("gender.getValue()", "'male'"),
        ],
    );
}

#[test]
fn filters_and_projections() {
    table(
        PATIENT,
        &[
            ("name.where(use = 'maiden').family", "'Windsor'"),
            ("name.select(given.first())", "'Peter', 'Jim', 'Peter'"),
            ("name.select($index)", "0, 1, 2"),
            ("name.where($index = 1).use", "'usual'"),
            ("telecom.rank.where($this > 1)", "2"),
            ("contained.ofType(Organization).name", "'Clinic'"),
            ("contained.ofType(Patient).name", ""),
            ("children().where($this is code)", "'male'"),
            ("descendants().where($this is date)", "'1974-12-25'"),
            ("descendants().ofType(Organization).id", "'org'"),
            ("repeat(contained | name).count()", "5"),
            ("name.first().use", "'official'"),
            ("name.last().use", "'maiden'"),
            ("name.tail().use", "'usual', 'maiden'"),
            ("name.skip(2).use", "'maiden'"),
            ("name.take(2).use", "'official', 'usual'"),
            ("name.take(0)", ""),
            ("name.single()", "Many"),
            ("gender.single()", "'male'"),
            ("name.use.intersect('usual' | 'old')", "'usual'"),
            ("name.use.exclude('usual')", "'official', 'maiden'"),
            ("name.given.union('Ann').count()", "5"),
            ("name.family.combine(name.family).count()", "4"),
            ("(name | name).count()", "3"),
            ("iif(active, 'yes', 'no')", "'yes'"),
            ("iif({}, 'yes', 'no')", "'no'"),
            ("iif(false, 'yes')", ""),
            ("name.iif(count() > 2, first().use, use)", "'official'"),
            ("telecom.rank.aggregate($total + $this, 0)", "3"),
            ("name.trace('names').count()", "3"),
        ],
    );
}

#[test]
fn types() {
    table(
        PATIENT,
        &[
            ("$this is Patient", "true"),
            ("$this is DomainResource", "true"),
            ("$this is FHIR.Patient", "true"),
            ("$this is Observation", "false"),
            ("gender is code", "true"),
            ("gender is string", "true"),
            ("gender is System.String", "true"),
            ("gender is uri", "false"),
            ("active is Boolean", "true"),
            ("active.is(boolean)", "true"),
            ("'a' is String", "true"),
            ("1 is Integer", "true"),
            ("1 is Decimal", "false"),
            ("(gender as code)", "'male'"),
            ("(gender as Quantity)", ""),
            ("photo is Attachment", ""),
            ("multipleBirth is integer", "true"),
            ("name is HumanName", "Many"),
            ("gender is NoSuchType", "false"),
        ],
    );
}

#[test]
fn equality() {
    table(
        PATIENT,
        &[
            ("1 = 1.0", "true"),
            ("'a' = 'A'", "false"),
            ("'a  b ' ~ 'A b'", "true"),
            ("1.01 ~ 1.0", "true"),
            ("{} = 1", ""),
            ("{} ~ {}", "true"),
            ("name[0].given = name[2].given", "true"),
            ("name[0].given = name[0].given.first()", "false"),
            ("name[0] = name[2]", "false"),
            ("name[0].given != name[2].given", "false"),
            ("@2012 = @2013", "false"),
            ("@2012-01 = @2012", ""),
            ("@2012-01 != @2012", ""),
            ("@2012-01-01T10:00Z = @2012-01-01T11:00+01:00", "true"),
            ("@T10:00:00 = @T10:00:00.000", "true"),
            ("active = 'true'", "true"),
            ("active = true", "true"),
            ("gender = 'male'", "true"),
            ("'male' in gender", "true"),
            ("name.use contains 'usual'", "true"),
            ("name.use contains 'old'", "false"),
            ("{} in name", ""),
            ("'a' in {}", "false"),
            ("('usual' | 'maiden') in name.use", "true"),
            ("('usual' | 'old') in name.use", "false"),
            ("('a' | 'b') ~ ('b' | 'a')", "true"),
            ("('a' | 'b') = ('b' | 'a')", "false"),
        ],
    );
}

#[test]
fn order() {
    table(
        PATIENT,
        &[
            ("1 < 1.5", "true"),
            ("'b' > 'a'", "true"),
            ("@2012-03 <= @2012-04-01", "true"),
            ("@2012-03 <= @2012-03-01", ""),
            ("@2012-03-01T23:00:00-05:00 < @2012-03-02T03:00:00Z", "false"),
            ("birthDate < today()", "true"),
            ("today() <= now()", ""),
            ("{} < 1", ""),
            ("'1' < 1", "Types"),
            ("name.given < 'a'", "Many"),
            ("1 'mg' < 2 'mg'", "true"),
            ("4 days > 3 days", "true"),
            ("1 'mg' < 2 'g'", "Unsupported"),
            ("@T10:00 < @T10:01", "true"),
        ],
    );
}

#[test]
fn texts() {
    table(
        PATIENT,
        &[
            ("'abcdefg'.indexOf('bc')", "1"),
            ("'äöü'.indexOf('ü')", "2"),
            ("'abc'.indexOf('x')", "-1"),
            ("'abcabc'.lastIndexOf('bc')", "4"),
            ("'abcdefg'.substring(3)", "'defg'"),
            ("'abcdefg'.substring(1, 2)", "'bc'"),
            ("'abcdefg'.substring(6, 9)", "'g'"),
            ("'abcdefg'.substring(7, 1)", ""),
            ("'äöü'.substring(1, 1)", "'ö'"),
            ("'abc'.substring(-1)", ""),
            ("'abc'.startsWith('ab')", "true"),
            ("'abc'.endsWith('')", "true"),
            ("'abc'.contains('d')", "false"),
            ("{}.contains('d')", ""),
            ("name.family.contains('d')", ""),
            ("'abc'.upper() & 'DEF'.lower()", "'ABCdef'"),
            ("'abcbc'.replace('bc', 'x')", "'axx'"),
            ("'abc'.replace('', '-')", "'-a-b-c-'"),
            ("'11/30/1972'.replaceMatches('([0-9]{2})/([0-9]{2})/([0-9]{4})', '$2-$1-$3')", "'30-11-1972'"),
            ("'http://x'.matches('^(http|ftp)://')", "true"),
            ("'ab'.matches('b')", "true"),
            ("'ab'.matchesFull('b')", "false"),
            ("'a\\nb'.matches('a.b')", "true"),
            ("'ab'.matches('(')", "Pattern"),
            ("'äb'.length()", "2"),
            ("'abc'.toChars()", "'a', 'b', 'c'"),
            ("' a '.trim()", "'a'"),
            ("'a,b,,c'.split(',')", "'a', 'b', '', 'c'"),
            ("name.family.join('; ')", "'Chalmers; Windsor'"),
            ("'a' & {} & 'b'", "'ab'"),
            ("'a' + {}", ""),
            ("'a' + 'b'", "'ab'"),
        ],
    );
}

#[test]
fn conversions() {
    table(
        PATIENT,
        &[
            ("'42'.toInteger()", "42"),
            ("'x'.toInteger()", ""),
            ("'4.2'.toDecimal()", "4.2"),
            ("1.toString()", "'1'"),
            ("true.toString()", "'true'"),
            ("birthDate.toString()", "'1974-12-25'"),
            ("@2015-02-04T14:34:28.5+01:00.toString()", "'2015-02-04T14:34:28.5+01:00'"),
            ("'t'.toBoolean()", "true"),
            ("2.toBoolean()", ""),
            ("'2015-02-30'.toDate()", ""),
            ("'2015-02-28'.toDate()", "@2015-02-28"),
            ("'2015-02-28T10:00'.toDateTime()", "@2015-02-28T10:00"),
            ("'25:00'.toTime()", ""),
            ("'4 days'.toQuantity()", "4 'days'"),
            ("'4 \\'mg\\''.toQuantity()", "4 'mg'"),
            ("'4 mg'.toQuantity()", ""),
            ("'1'.convertsToInteger()", "true"),
            ("'a'.convertsToDecimal()", "false"),
            ("{}.convertsToDate()", ""),
            ("name.given.toInteger()", "Many"),
        ],
    );
}

#[test]
fn numbers() {
    table(
        PATIENT,
        &[
            ("5 div 2", "2"),
            ("5 mod 2", "1"),
            ("5 / 2", "2.5"),
            ("5 / 0", ""),
            ("5 div 0", ""),
            ("5.5 mod 2", "1.5"),
            ("1.5 + 1", "2.5"),
            ("2 * 1.5", "3.0"),
            ("9223372036854775807 + 1", "Range"),
            ("(-5).abs()", "5"),
            ("1.1.ceiling()", "2"),
            ("(-1.1).floor()", "-2"),
            ("(-1.9).truncate()", "-1"),
            ("1.25.round(1)", "1.3"),
            ("4.sqrt()", "2"),
            ("(-1).sqrt()", ""),
            ("2.power(3)", "8"),
            ("16.log(2).round()", "4"),
            ("0.ln()", ""),
            ("'a' * 2", "Types"),
            ("1 'mg' + 2 'mg'", "3 'mg'"),
            ("@2012-01-31 + 1 month", "@2012-02-29"),
            ("@2012-03-01 - 1 day", "@2012-02-29"),
            ("@2012-03-01T00:30 - 1 hour", "@2012-02-29T23:30"),
            ("@T23:30 + 1 hour", "@0000-01-01T00:30"),
            ("@9999-12-31 + 1 day", ""),
        ],
    );
}

#[test]
fn boundaries() {
    table(
        OBSERVATION,
        &[
            ("1.5.lowBoundary()", "1.45"),
            ("1.5.highBoundary()", "1.55"),
            ("1.587.lowBoundary(6)", "1.586500"),
            ("1.587.highBoundary(6)", "1.587500"),
            ("1.587.lowBoundary(2)", "1.58"),
            ("1.587.highBoundary(2)", "1.59"),
            ("(-1.587).lowBoundary(2)", "-1.59"),
            ("(-1.587).highBoundary(2)", "-1.58"),
            ("1.587.highBoundary(0)", "2"),
            ("1.lowBoundary(1)", "0.5"),
            ("1.587.lowBoundary(-1)", ""),
            ("1.587.lowBoundary(32)", ""),
            ("1.587.lowBoundary({})", ""),
            ("1.5 'mg'.highBoundary(1)", "1.6 'mg'"),
            ("1.587.lowBoundary('a')", "Types"),
            ("@2014.lowBoundary(6) = @2014-01", "true"),
            ("@2014.highBoundary(6) = @2014-12", "true"),
            ("@2014-03-05.highBoundary(4) = @2014", "true"),
            ("@2014.lowBoundary(10)", ""),
            ("@2014.lowBoundary(5)", ""),
            ("@2014T.highBoundary(6) = @2014-12T", "true"),
            ("@T10.lowBoundary(4) = @T10:00", "true"),
            ("@T10:30.highBoundary(6) = @T10:30:59", "true"),
            ("@T10:30.highBoundary(6) < @T10:30.highBoundary(9)", "true"),
            ("@T10:30.highBoundary(3)", ""),
            ("@2014-02.highBoundary()", "@2014-02-28"),
            ("effective.lowBoundary() <= effective.highBoundary()", "true"),
            ("effective.highBoundary() <= effective.lowBoundary()", "false"),
            ("value.lowBoundary() < value", "true"),
            ("value.lowBoundary().comparable(value)", "true"),
            ("component[0].value.comparable(value)", "Unsupported"),
        ],
    );
}

#[test]
fn what_fhir_adds() {
    table(
        PATIENT,
        &[
            ("extension('http://example.org/a').value", "7"),
            ("extension('http://example.org/c').empty()", "true"),
            ("birthDate.extension('http://time').exists()", "true"),
            ("managingOrganization.resolve().name", "'Clinic'"),
            ("managingOrganization.resolve() is Organization", "true"),
            ("generalPractitioner[0].resolve().exists()", "Unresolved"),
            ("generalPractitioner[0].resolve() is Practitioner", "true"),
            ("generalPractitioner[0].resolve() is Organization", "false"),
            ("generalPractitioner[0].resolve().is(Practitioner)", "true"),
            ("generalPractitioner[1].resolve()", ""),
            ("generalPractitioner[2].resolve()", ""),
            ("false and generalPractitioner[0].resolve().exists()", "false"),
            ("gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')", "Terminology"),
            ("conformsTo('http://example.org')", "Terminology"),
            ("elementDefinition()", "Unsupported"),
        ],
    );
    table(
        OBSERVATION,
        &[
            ("value is Quantity", "true"),
            ("value.value", "185.0"),
            ("value > 180 '[lb_av]'", "true"),
            ("value = 185 '[lb_av]'", "true"),
            ("(value as Quantity).unit", "'lbs'"),
            ("value.ofType(CodeableConcept)", ""),
            ("component.value.ofType(CodeableConcept).text", "'x'"),
            ("component.where(value is Quantity).code.text", "'c1'"),
            ("component is BackboneElement", "Many"),
            ("component[0] is BackboneElement", "true"),
            ("code.coding.intersect(%resource.code.coding).exists()", "true"),
        ],
    );
}

#[test]
fn an_invariant_without_an_answer_is_broken() {
    let arena = Bump::new();
    let root = Element::resource(&SCHEMA, common::document(&arena, PATIENT)).expect("a known resource");
    let holds = |text: &str| {
        let expression = Expression::parse(text, &SCHEMA).expect("sound");
        expression.holds(root, &Context::new(&SCHEMA, &arena, root))
    };
    assert_eq!(holds("active"), Ok(true));
    assert_eq!(holds("photo.title = 'x'"), Ok(false));
    assert_eq!(holds("gender"), Ok(true));
    assert_eq!(holds("name"), Err(Trouble::Many));
}

#[test]
fn work_is_bounded() {
    let items: Vec<String> = (0..300).map(|place| format!(r#"{{"linkId": "{place}"}}"#)).collect();
    let text = format!(r#"{{"resourceType": "Questionnaire", "item": [{}]}}"#, items.join(","));
    let cubic = "item.all(%resource.descendants().all(%resource.descendants().count() > 0))";
    assert_eq!(run(&text, cubic), "Work");
    assert_eq!(run(&text, "descendants().linkId.isDistinct()"), "true");
}

#[test]
fn the_stack_is_bounded() {
    let nested = |inner: String, _| format!(r#"{{"linkId": "x", "item": [{inner}]}}"#);
    let items = (0..45).fold(r#"{"linkId": "deep"}"#.to_owned(), nested);
    let text = format!(r#"{{"resourceType": "Questionnaire", "item": [{items}]}}"#);
    let within =
        |inner: String, _| format!("%resource.descendants().where(linkId = 'deep' and {inner}).exists()");
    assert_eq!(run(&text, &(0..3).fold("true".to_owned(), within)), "true");
    assert_eq!(run(&text, &(0..40).fold("true".to_owned(), within)), "Work");
}

#[test]
fn periods_include_their_ends() {
    let period = |start: &str, end: &str| {
        let text =
            format!(r#"{{"resourceType": "Encounter", "period": {{"start": "{start}", "end": "{end}"}}}}"#);
        run(&text, "period.select(start.lowBoundary() <= end.highBoundary())")
    };
    assert_eq!(period("2012-02-03", "2012-02-03"), "true");
    assert_eq!(period("2012-02-03T10:00:00+01:00", "2012-02-03"), "true");
    assert_eq!(period("2012", "2012-02-03"), "true");
    assert_eq!(period("2012-02-03T10:00:00Z", "2012-02-03T10:00:00.000Z"), "true");
    assert_eq!(period("2012-02-03T10:00:00Z", "2012-02-03T09:59:59Z"), "false");
    // Without time zones a day lasts 50 hours, from +14:00 to -12:00.
    assert_eq!(period("2012-02-05", "2012-02-03"), "true");
    assert_eq!(period("2012-02-06", "2012-02-03"), "false");
    assert_eq!(period("2014", "2012"), "false");
}

/// One set of expressions serves all threads.
#[test]
fn expressions_are_shared_by_threads() {
    let expression = Expression::parse("name.family.matches('^C')", &SCHEMA).expect("sound");
    let answer = || {
        let arena = Bump::new();
        let root = Element::resource(&SCHEMA, common::document(&arena, PATIENT)).expect("a known resource");
        expression.evaluate(root, &Context::new(&SCHEMA, &arena, root)).map(|items| items.len())
    };
    let answers = std::thread::scope(|threads| {
        let running: Vec<_> = (0..4).map(|_| threads.spawn(answer)).collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
    });
    // Two families, so `matches` has no answer.
    assert_eq!(answers, vec![Ok(0); 4]);
}
