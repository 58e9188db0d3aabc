//! Narratives (<https://hl7.org/fhir/R4/narrative.html>).

use caregrid_values::xhtml;

fn div(content: &str) -> String {
    format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{content}</div>")
}

/// Narratives as the specification has them.
#[test]
fn narratives() {
    let good = [
        "text",
        "<p style=\"color: red\">a<br/>b &amp; &lt; &#233; &nbsp;</p>",
        "<img src=\"#a\" alt=\"x\"/>",
        "<table class=\"grid\"><tr><td colspan=\"2\">a</td></tr></table>",
        "<a href=\"http://a.org\" name=\"x\">a</a>",
        "<var>x</var><kbd>y</kbd>",
        "<!-- c --><b xml:lang=\"en\">a</b>",
        "<a href=\"http://a.org?x=1&amp;y=2\" title=\"&#233;&#xe9;&eacute;;\">a</a>",
    ];
    for content in good {
        assert_eq!(Ok(()), xhtml::check(&div(content)), "{content}");
    }
    let prefixed = "<h:div xmlns:h=\"http://www.w3.org/1999/xhtml\"><h:p>a</h:p></h:div>";
    assert_eq!(Ok(()), xhtml::check(prefixed));
    let bad = [
        "",
        "  ",
        "<p/>",
        "<img/>",
        "<script>alert(1)</script>",
        "<p onclick=\"x\">a</p>",
        "<form>a</form>",
        "<P>a</P>",
        "<iframe src=\"x\">a</iframe>",
        "<p>a",
        "a</p>",
        "<p a>b</p>",
        "&unheardof;",
        "a & b",
        "<object>a</object>",
        "<a href=\"java\nscript:x\">a</a>",
        "<svg xmlns=\"http://www.w3.org/2000/svg\">a</svg>",
        "<p class=\"a\" class=\"b\">a</p>",
        "<?php x ?>a",
        "<input type=\"text\"/>a",
        "<p title=\"<\">a</p>",
        "<a href=\"http://a.org?x=1&y=2\">a</a>",
        "<p title=\"a & b\">a</p>",
        "<p title=\"&unheardof;\">a</p>",
        "<p title=\"&#xd800;\">a</p>",
        "<u>a</u>",
        "<del>a</del>",
        "<font color=\"red\">a</font>",
        "<p data-x=\"1\">a</p>",
        "<a href=\"#a\" target=\"_blank\">a</a>",
    ];
    for content in bad {
        assert!(xhtml::check(&div(content)).is_err(), "{content}");
    }
    let not_divs = [
        "text",
        "<div>a</div>",
        "<p xmlns=\"http://www.w3.org/1999/xhtml\">a</p>",
        "",
        "<!DOCTYPE div><div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>",
        "<?xml version=\"1.0\"?><div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>",
    ];
    for text in not_divs {
        assert!(xhtml::check(text).is_err(), "{text}");
    }
    assert!(xhtml::check(&format!("{}{}", div("a"), div("b"))).is_err());
    assert!(xhtml::check(&format!("{}b", div("a"))).is_err());
    assert!(xhtml::check(&div(&format!("{}a{}", "<b>".repeat(500), "</b>".repeat(500)))).is_err());
}

proptest::proptest! {
    /// No text panics.
    #[test]
    fn any_text_is_judged(text in "(<div xmlns=\"http://www.w3.org/1999/xhtml\">)?[<>/&;!\\[\\]?=\"' a-z-]{0,24}(</div>)?") {
        let _ = xhtml::check(&text);
    }
}

/// Where a narrative leads inside its resource, and what of it can be led to.
#[test]
fn links_and_anchors() {
    let content = "<a href=\"#a\" name=\"n\">x</a><img src=\"#b\" alt=\"y\"/><p id=\"i\">z</p><a href=\"http://a.org#c\">w</a><map name=\"m\"><area href=\"#\" alt=\"v\"/></map>";
    let found = xhtml::links(&div(content)).expect("a narrative");
    assert_eq!(["a", "b", ""].map(str::to_owned).to_vec(), found.targets);
    assert_eq!(["n", "i"].map(str::to_owned).to_vec(), found.anchors);
}
