//! Codes whose systems have a grammar.

use caregrid_values::codes;

/// Grammars of codes.
#[test]
fn grammars() {
    for good in ["text/plain", "application/fhir+json; fhirVersion=4.0", "json"] {
        assert!(codes::is_media_type(good), "{good}");
    }
    for bad in ["", "text", "text/", "/plain", "text/pl ain", "text/plain;", "text/plain; charset"] {
        assert!(!codes::is_media_type(bad), "{bad}");
    }
    for good in [
        "en",
        "EN-us",
        "zh-Hant-TW",
        "x-private",
        "sgn",
        "de-1996",
        "de-CH-1901",
        "sl-rozaj-biske",
        "es-419",
        "i-klingon",
        "en-u-ca-gregory",
        "de-x-a-b",
        "zh-cmn-Hans-CN",
        "en-a-bbb-x-a",
        "haw-US",
        "en-XK",
    ] {
        assert!(codes::is_language(good), "{good}");
    }
    for bad in [
        "",
        "e",
        "en_US",
        "english-language!",
        "en-",
        "x",
        "12",
        "xx",
        "english",
        "en-QQ1",
        "en-ZX",
        "en-u",
        "en--US",
        "-en",
        "en-x",
        "i-none",
        "en-US-GB",
        "é",
        "en-u-a",
    ] {
        assert!(!codes::is_language(bad), "{bad}");
    }
}

/// Units of measure, section 2 of UCUM; what hospitals write instead is none.
#[test]
fn units() {
    let good = [
        "m",
        "kg",
        "mg",
        "mm[Hg]",
        "cm[H2O]",
        "%",
        "10*3/uL",
        "10*-6",
        "10^3",
        "/min",
        "{beats}/min",
        "mmol/L",
        "m2",
        "kg.m/s2",
        "L/(24.h)",
        "mL/min/(173.10*-2.m2)",
        "g/(8.h){shift}",
        "/100{cells}",
        "[iU]/mL",
        "m[IU]/L",
        "Cel",
        "[degF]",
        "[in_i'H2O]",
        "B[10.nV]",
        "[m/s2/Hz^0.5]",
        "{score}",
        "1",
        "24.h",
        "ug{FEU}/mL",
        "s-1",
        "s+2",
        "dar",
        "daL",
        "KiBy",
        "cal_[15]",
        "[arb'U]",
        "((m))",
        "'",
        "g%",
    ];
    for unit in good {
        assert!(codes::is_unit(unit), "{unit}");
    }
    let bad = [
        "", "/", "mcg", "mEq", "TAB", "month", "cc", "Kg", "mg/DL", "kmin", "k%", "m/", "m//s", "m..s", "(m",
        "m)", "m s", "{a", "a}", "{é}", "m{a}{b}", "2-3", "-2", "m--2", "[in_i", "mmHg", "°C", "ml/hr", "()",
        "m.", "[]", "k", "m+", "{a}m", "lb", "ppm",
    ];
    for unit in bad {
        assert!(!codes::is_unit(unit), "{unit}");
    }
}

proptest::proptest! {
    /// No text panics.
    #[test]
    fn any_text_is_judged(text in "[\\[\\]{}()./+\\-*^0-9a-zA-Z%' é]{0,24}") {
        codes::is_unit(&text);
        codes::is_language(&text);
        codes::is_media_type(&text);
    }
}
