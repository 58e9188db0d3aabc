//! What each primitive type takes, and what it does not.

use caregrid_json::{Json, Kind};
use caregrid_values::{check, Primitive};

fn takes(primitive: Primitive, kind: Kind<'_>) -> bool {
    check(primitive, &Json { kind, at: 0 }).is_ok()
}

fn judge(primitive: Primitive, good: &[&str], bad: &[&str]) {
    for text in good {
        assert!(takes(primitive, Kind::String(text)), "{primitive:?} should take {text:?}");
    }
    for text in bad {
        assert!(!takes(primitive, Kind::String(text)), "{primitive:?} should refuse {text:?}");
    }
}

/// JSON has booleans and numbers of its own, and FHIR uses them.
#[test]
fn kinds_of_json() {
    assert!(takes(Primitive::Boolean, Kind::Bool(true)));
    assert!(!takes(Primitive::Boolean, Kind::String("true")));
    assert!(!takes(Primitive::Integer, Kind::String("1")));
    assert!(!takes(Primitive::Decimal, Kind::String("1.0")));
    assert!(!takes(Primitive::String, Kind::Number("1")));
    assert!(!takes(Primitive::String, Kind::Null));
    assert!(!takes(Primitive::Integer64, Kind::Number("1")));
}

/// Ranges of numbers; decimals are any number, as written.
#[test]
fn numbers() {
    let number = |primitive, digits| takes(primitive, Kind::Number(digits));
    for digits in ["0", "-0", "2147483647", "-2147483648"] {
        assert!(number(Primitive::Integer, digits), "{digits}");
    }
    for digits in ["2147483648", "-2147483649", "1.0", "1e3", "99999999999999999999"] {
        assert!(!number(Primitive::Integer, digits), "{digits}");
    }
    assert!(number(Primitive::UnsignedInt, "0") && !number(Primitive::UnsignedInt, "-1"));
    assert!(!number(Primitive::UnsignedInt, "-0"));
    assert!(number(Primitive::PositiveInt, "1") && !number(Primitive::PositiveInt, "0"));
    assert!(number(Primitive::Decimal, "1.00e-12") && number(Primitive::Decimal, "-0.0"));
    judge(
        Primitive::Integer64,
        &["0", "-9223372036854775808"],
        &["01", "1.0", "9223372036854775808", "-", ""],
    );
}

/// Dates exist, and times have a zone exactly where they must.
#[test]
fn dates_and_times() {
    let dates = ["1951", "1951-06", "1951-06-04", "2000-02-29", "9999-12-31"];
    let no_dates = [
        "51",
        "0000",
        "1951-13",
        "1951-00",
        "1951-6",
        "1900-02-29",
        "2021-04-31",
        "2021-01-00",
        "2021-01-01T",
    ];
    judge(Primitive::Date, &dates, &no_dates);
    judge(Primitive::DateTime, &dates, &no_dates);
    let times = [
        "2015-02-07T13:28:17Z",
        "2015-02-07T13:28:17.239-05:00",
        "2016-12-31T23:59:60Z",
        "2015-02-07T13:28:17+14:00",
    ];
    let no_times = [
        "2015-02-07T13:28:17",
        "2015-02-07T13:28Z",
        "2015-02-07T24:00:00Z",
        "2015-02-07T13:28:17+14:30",
        "2015-02-07T13:28:17.Z",
        "2015-02T13:28:17Z",
        "2015-02-07 13:28:17Z",
        "2015-02-07T13:28:17z",
        "2015-02-30T13:28:17Z",
        "2015-02-07T13:28:17+5:00",
        "é015-02-07T13:28:17Z",
    ];
    judge(Primitive::DateTime, &times, &no_times);
    judge(Primitive::Instant, &times, &no_times);
    judge(Primitive::Instant, &[], &dates);
    judge(
        Primitive::Time,
        &["00:00:00", "23:59:59.999"],
        &["24:00:00", "12:30", "12:30:00Z", "1:00:00", "12:30:61"],
    );
}

/// Names, codes and addresses.
#[test]
fn texts() {
    judge(Primitive::Id, &["a", "A-1.b", &"x".repeat(64)], &["", "a_b", "a b", "é", &"x".repeat(65)]);
    judge(Primitive::Code, &["a", "a b", "in-progress"], &["", " a", "a ", "a  b", "\t", "a\n", "a\tb"]);
    judge(Primitive::String, &["a", " a ", "\u{1F600}", "a\r\n\tb"], &["", "a\u{0}", "\u{8}"]);
    judge(Primitive::Markdown, &["# a"], &[""]);
    let uris = [
        "http://a.org/b",
        "Patient/1",
        "#x",
        "urn:oid:1.2.3",
        "urn:uuid:C757873D-ec9a-4326-a141-556f43239520",
        "mailto:a@b",
    ];
    let no_uris =
        ["", "http://a b", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.02", "urn:uuid:1", "oid:1.2", "uuid:1"];
    judge(Primitive::Uri, &uris, &no_uris);
    judge(
        Primitive::Canonical,
        &["http://a.org/b|1.0#c", "urn:oid:1.2|4", "#x"],
        &["", "urn:oid:1|4", "http://a|1 0"],
    );
    judge(Primitive::Oid, &["urn:oid:2.16.840", "urn:oid:0.0"], &["1.2.3", "urn:oid:1.2.", "urn:oid:1..2"]);
    let uuid = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520";
    judge(Primitive::Uuid, &[uuid], &["c757873d-ec9a-4326-a141-556f43239520", &uuid.to_uppercase()]);
    judge(
        Primitive::Base64Binary,
        &["YQ==", "YWI=", "YWJj", "YW\nJj", "YWJj YWJj"],
        &["", " ", "YQ", "YQ=", "Y===", "Y!==", "YQ==YQ=="],
    );
    assert!(!takes(Primitive::String, Kind::String(&"é".repeat(1024 * 1024 + 1))));
}
