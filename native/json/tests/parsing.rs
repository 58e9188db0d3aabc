//! What is JSON, what is not, and where it goes wrong.

use bumpalo::Bump;
use caregrid_json::{parse, FaultKind, Json, Kind, Limits, Lines, Position};
use proptest::prelude::*;

fn fault(text: &[u8]) -> Option<(FaultKind, u32)> {
    parse(text, &Bump::new(), Limits { depth: 4 }).err().map(|fault| (fault.kind, fault.at))
}

fn as_serde(value: &Json<'_>) -> serde_json::Value {
    match value.kind {
        Kind::Object(members) => {
            members.iter().map(|member| (member.name.to_owned(), as_serde(&member.value))).collect()
        }
        Kind::Array(elements) => elements.iter().map(as_serde).collect(),
        Kind::String(text) => text.into(),
        Kind::Number(digits) => serde_json::from_str(digits).unwrap(),
        Kind::Bool(truth) => truth.into(),
        Kind::Null => serde_json::Value::Null,
    }
}

/// Every kind of fault, with its place.
#[test]
fn faults_have_kinds_and_places() {
    let cases: [(&[u8], FaultKind, u32); 30] = [
        (b"", FaultKind::Empty, 0),
        (b" \n", FaultKind::Empty, 2),
        (b"\xef\xbb\xbf{}", FaultKind::ByteOrderMark, 0),
        (b"{\"a\":\"\xff\"}", FaultKind::Encoding, 6),
        (b"{'a':1}", FaultKind::Syntax, 1),
        (b"{a:1}", FaultKind::Syntax, 1),
        (b"{\"a\":1,}", FaultKind::Syntax, 7),
        (b"[1,]", FaultKind::Syntax, 3),
        (b"[1 2]", FaultKind::Syntax, 3),
        (b"// x\n1", FaultKind::Syntax, 0),
        (b"NaN", FaultKind::Syntax, 0),
        (b"nul", FaultKind::Truncated, 0),
        (b"nulx", FaultKind::Syntax, 0),
        (b"{\"a\":", FaultKind::Truncated, 5),
        (b"{\"a", FaultKind::Truncated, 3),
        (b"[1", FaultKind::Truncated, 2),
        (b"{} {}", FaultKind::Trailing, 3),
        (b"1\0", FaultKind::Trailing, 1),
        (b"01", FaultKind::Number, 1),
        (b"-", FaultKind::Truncated, 1),
        (b"1.", FaultKind::Truncated, 2),
        (b"[1.]", FaultKind::Number, 3),
        (b"-Infinity", FaultKind::Number, 1),
        (b"+1", FaultKind::Syntax, 0),
        (b"\"a\nb\"", FaultKind::String, 2),
        (b"\"\\x\"", FaultKind::String, 1),
        (b"\"\\ud800\"", FaultKind::Surrogate, 1),
        (b"\"\\udc00\"", FaultKind::Surrogate, 1),
        (b"{\"a\":1,\"b\":2,\"a\":3}", FaultKind::Duplicate, 13),
        (b"[[[[[]]]]]", FaultKind::Depth, 4),
    ];
    for (text, kind, at) in cases {
        assert_eq!(Some((kind, at)), fault(text), "{}", String::from_utf8_lossy(text));
    }
}

/// What ends a plain run of a string is found wherever it stands, also after characters of several bytes.
#[test]
fn strings_end_where_they_should() {
    for length in 0..40 {
        for filling in ["a", "é", "~", "\u{7f}", "!", "#"] {
            let plain = filling.repeat(length);
            let quoted = |inner: &str| format!("\"{plain}{inner}{plain}\"");
            assert_eq!(None, fault(quoted("").as_bytes()));
            assert_eq!(None, fault(quoted("\\n\\\"").as_bytes()));
            let at = 1 + plain.len() as u32;
            for control in 0..0x20_u8 {
                let text = quoted(&char::from(control).to_string());
                assert_eq!(Some((FaultKind::String, at)), fault(text.as_bytes()), "{length} {control}");
            }
            assert_eq!(Some((FaultKind::Truncated, at)), fault(format!("\"{plain}").as_bytes()));
        }
    }
}

/// A duplicate is found among many members, too.
#[test]
fn duplicates_are_found_in_large_objects() {
    let members: Vec<String> = (0..40).map(|number| format!("\"n{}\":1", number % 39)).collect();
    assert!(matches!(
        fault(format!("{{{}}}", members.join(",")).as_bytes()),
        Some((FaultKind::Duplicate, _))
    ));
}

/// Numbers keep their digits, strings lose their escapes, positions count characters.
#[test]
fn values_are_what_was_written() {
    let arena = Bump::new();
    let text = "{\"n\": 1.50e+1,\n \"s\": \"\\u00e9\\ud83d\\ude00\\n/\", \"é\": [true]}";
    let value = parse(text.as_bytes(), &arena, Limits::default()).unwrap();
    assert!(matches!(value.get("n").unwrap().kind, Kind::Number("1.50e+1")));
    assert_eq!(Some("é😀\n/"), value.text("s"));
    let lines = Lines::new(text.as_bytes());
    assert_eq!(Position { line: 2, column: 7 }, lines.position(value.get("s").unwrap().at));
    assert_eq!(Position { line: 1, column: 1 }, lines.position(value.at));
}

/// Nothing that is cut off is taken, and nothing panics.
#[test]
fn no_beginning_of_a_document_is_one() {
    let text = r#"{"a": ["x\u00e9\ud83d\ude00", -1.5e-3, true, false, null, {}], "b": {"c": [1, 2]}}"#;
    for end in 0..text.len() {
        assert!(fault(&text.as_bytes()[..end]).is_some(), "{end}");
    }
    assert_eq!(None, fault(text.as_bytes()));
}

proptest! {
    /// Whatever another parser writes is read as the same value.
    #[test]
    fn written_values_are_read(texts in prop::collection::vec(any::<String>(), 0..5), number in any::<i64>()) {
        let written = serde_json::json!({"texts": texts, "number": number, "more": {"texts": texts}});
        let source = serde_json::to_vec(&written).unwrap();
        let arena = Bump::new();
        prop_assert_eq!(&written, &as_serde(&parse(&source, &arena, Limits::default()).unwrap()));
    }

    /// No bytes panic, and what is taken another parser takes, too.
    #[test]
    fn arbitrary_bytes_are_judged(bytes in "[\\[\\]{}\",:0-9a-fntrue\\\\.+ \\-]{0,40}") {
        if let Ok(value) = parse(bytes.as_bytes(), &Bump::new(), Limits::default()) {
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&bytes).ok(), Some(as_serde(&value)));
        }
    }
}
