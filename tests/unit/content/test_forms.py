"""C-CDA and HL7 v2 pass if their form is sound; nothing in them is expanded, fetched or quoted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.content import MediaType, examine, is_grave, outcome

SECRET = "qxzjwqxzjw"


def rules(content: bytes, media_type: MediaType) -> list[str]:
    """Return the names of the rules that content breaks."""
    return [issue.rule.name for issue in examine(content, media_type)]


def document(inner: str = "", root: str = "ClinicalDocument", prolog: str = "") -> bytes:
    """Return an XML document."""
    return f'{prolog}<{root} xmlns="urn:hl7-org:v3">{inner}</{root}>'.encode()


def test_sound_document_passes() -> None:
    """A clinical document in HL7's namespace is sound, whatever is in it."""
    assert rules(document("<title>x &amp; y</title>", prolog='<?xml version="1.0"?>'), MediaType.CDA) == []
    assert rules(b'<x:ClinicalDocument xmlns:x="urn:hl7-org:v3"/>', MediaType.CDA) == []


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (document("<a>"), "xml"),
        (document("&nbsp;"), "xml"),
        (document()[:-1], "xml"),
        (document() + b"x", "xml"),
        (document("\xff").decode().encode("latin-1"), "xml"),
        (document(prolog='<?xml version="1.0" encoding="nonsense"?>'), "xml"),
        (b"<ClinicalDocument/>", "cda-root"),
        (b'<ClinicalDocument xmlns="urn:hl7-org:v2"/>', "cda-root"),
        (document("<a>" * 300 + "</a>" * 300), "xml-depth"),
        (document(prolog="<!DOCTYPE ClinicalDocument>"), "xml-doctype"),
    ],
)
def test_unsound_document_is_refused(content: bytes, rule: str) -> None:
    """What is not well-formed, or no clinical document, is refused by name."""
    assert [rule] == rules(content, MediaType.CDA)


def test_entities_are_never_expanded() -> None:
    """A document that would grow to gigabytes, or read a file, is refused at its DOCTYPE."""
    bomb = '<!DOCTYPE ClinicalDocument [<!ENTITY a "xxxxxxxxxx">' + "".join(
        f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    outside = '<!DOCTYPE ClinicalDocument [<!ENTITY i SYSTEM "file:///etc/passwd">'
    for prolog in (bomb, outside):
        assert rules(document("&i;", prolog=prolog + "]>"), MediaType.CDA) in (
            ["xml-doctype"],
            ["media-type"],
        )


def message(*segments: str, end: str = "\r", **fields: str) -> bytes:
    """Return a message; `msh12="3"` puts another value into a field of its header."""
    values = {
        1: "^~\\&", 2: "LAB", 3: "A", 4: "EMR", 5: "B", 6: "20260101120000", 8: "ORU^R01", 9: "17",
        10: "P", 11: "2.5.1",
        **{int(name[3:]) - 1: value for name, value in fields.items()},
    }  # fmt: skip
    header = "MSH|" + "|".join(values.get(number, "") for number in range(1, max(values) + 1))
    return "".join(each + end for each in (header, *segments)).encode("latin-1")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (message("PID|1||7", "ZXT|own", "OBX"), []),
        (message()[:-1], []),
        (b"BHS|^~\\&|x\r" + message("PID|1") + b"BTS|1\r", []),
        (message(msh2="^~\\&#"), []),
        (message("PID|1", end="\r\n"), ["v2-line-feeds"]),
        (message("PID|1", end="\n"), ["v2-line-feeds"]),
        (message("NTE|caf\xe9", msh18="8859/1"), []),
        (message("NTE|caf\xc3\xa9", msh18="UNICODE UTF-8"), []),
        (message("NTE|caf\xc3\xa9", msh18="UNICODE UTF-8~8859/1"), []),
        (message("NTE|caf\xc3\xa9"), ["v2-charset-missing"]),
        (message(msh18="KLINGON"), ["v2-charset-unknown"]),
    ],
)
def test_sound_message_passes(content: bytes, expected: list[str]) -> None:
    """A message of sound form is valid; what is usual but not allowed is a warning."""
    issues = examine(content, MediaType.HL7_V2)
    assert expected == [issue.rule.name for issue in issues]
    assert not any(is_grave(issue.rule.severity) for issue in issues)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"\x0b" + message() + b"\x1c\r", "v2-frame"),
        (message(msh2="^~"), "v2-header"),
        (message(msh2="^^\\&"), "v2-separators"),
        (message(msh2="^~\\A"), "v2-separators"),
        (message("PI|1"), "v2-segment"),
        (message("pid|1"), "v2-segment"),
        (message("PIDX"), "v2-segment"),
        (message(""), "v2-segment"),
        (message("PID|1") + b"OBX|1\n", "v2-line-ends"),
        (message("PID|\x01"), "v2-control"),
        (message(msh9=""), "v2-field"),
        (message(msh10=""), "v2-field"),
        (message(msh11=""), "v2-field"),
        (message(msh12=""), "v2-field"),
        (message(msh12="3.0"), "v2-version"),
        (message("NTE|caf\xe9"), "v2-charset"),
        (message("NTE|caf\xe9", msh18="ASCII"), "v2-charset"),
        (message("NTE|caf\xe9", msh18="UNICODE UTF-8"), "v2-charset"),
        (b"FHS|^~\\&|x\rFTS|1\r", "v2-header"),
    ],
)
def test_unsound_message_is_refused(content: bytes, rule: str) -> None:
    """Each fault of form is named, and makes the message invalid."""
    issues = examine(content, MediaType.HL7_V2)
    assert [rule] == [issue.rule.name for issue in issues]
    assert is_grave(issues[0].rule.severity)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4), st.integers(0, 200))
def test_damage_is_judged_and_not_quoted(changes: list[tuple[int, int]], length: int) -> None:
    """Damaged documents and messages get a verdict, and none of their text is in it."""
    sound = (document(f"<title>{SECRET}</title>"), message(f"PID|{SECRET}|{SECRET}"))
    for content, media_type in zip(sound, (MediaType.CDA, MediaType.HL7_V2), strict=True):
        damaged = bytearray(content)
        for place, value in changes:
            damaged[place % len(damaged)] = value
        told = str(outcome(examine(bytes(damaged[: len(damaged) - length % 20]), media_type)))
        assert SECRET not in told
