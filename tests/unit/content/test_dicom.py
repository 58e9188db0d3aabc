"""DICOM files name what they are, or are refused; the patient in them is never read, and never told."""

from __future__ import annotations

import io
import logging
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.content import DicomFacts, MediaType, examine, outcome, read_facts
from caregrid.content import dicom as judged

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
CT, INSTANCE, STUDY, SERIES = "1.2.840.10008.5.1.4.1.1.2", "2.25.3", "2.25.1", "2.25.2"
PATIENT = "Qxzjw^Anna"

ELEMENTS = {
    (0x0008, 0x0016): ("UI", CT),
    (0x0008, 0x0018): ("UI", INSTANCE),
    (0x0008, 0x0060): ("CS", "CT"),
    (0x0010, 0x0010): ("PN", PATIENT),
    (0x0010, 0x0020): ("LO", "QXZJW-1"),
    (0x0020, 0x000D): ("UI", STUDY),
    (0x0020, 0x000E): ("UI", SERIES),
    (0x0028, 0x0010): ("US", "\1\0"),
}


def element(tag: tuple[int, int], kind: str, value: str, syntax: str = EXPLICIT) -> bytes:
    """Return one data element of short length (DICOM PS3.5, 7.1)."""
    raw = value.encode("latin-1")
    raw += (b"\0" if kind == "UI" else b" ") * (len(raw) % 2)
    order = ">" if syntax == BIG_ENDIAN else "<"
    if syntax == IMPLICIT:
        return struct.pack(f"{order}HHI", *tag, len(raw)) + raw
    return struct.pack(f"{order}HH2sH", *tag, kind.encode(), len(raw)) + raw


def file(syntax: str = EXPLICIT, meta_instance: str = INSTANCE, **changes: str | None) -> bytes:
    """Return a file; `t00080018="x"` gives an element another value, None leaves it out."""
    meta = element((0x0002, 0x0003), "UI", meta_instance) + element((0x0002, 0x0010), "UI", syntax)
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    data = b""
    for tag, (kind, value) in ELEMENTS.items():
        new = changes.get(f"t{tag[0]:04x}{tag[1]:04x}", value)
        data += b"" if new is None else element(tag, kind, new, syntax)
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-15)
        data = packer.compress(data) + packer.flush()
    return bytes(128) + b"DICM" + length + meta + data


def rules(content: bytes, *, whole: bool = True) -> list[str]:
    """Return the names of the rules that a file breaks."""
    return [issue.rule.name for issue in judged.examine(io.BytesIO(content), whole=whole)]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, "1.2.840.10008.1.2.4.50"])
def test_file_says_what_it_is(syntax: str) -> None:
    """In every encoding of the header the UIDs and the modality are read."""
    content = file(syntax)
    assert rules(content) == []
    assert read_facts(io.BytesIO(content)) == DicomFacts(
        transfer_syntax=syntax,
        sop_class=CT,
        sop_instance=INSTANCE,
        study=STUDY,
        series=SERIES,
        modality="CT",
    )


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"DICM", "dicom"),
        (bytes(128) + b"DICM" + bytes(3000), "dicom-meta"),
        (bytes(128) + b"DICM", "dicom-meta"),
        (file(syntax="no uid"), "dicom-meta"),
        (file(meta_instance="2.25.99"), "dicom-instance"),
        (file(t00080016=None), "dicom-uid"),
        (file(t00080016="1.2.x"), "dicom-uid"),
        (file(t00080018=""), "dicom-uid"),
        (file(t0020000d=None), "dicom-uid"),
        (file(t0020000e="1." + "2" * 64), "dicom-uid"),
        (file(DEFLATED)[: file(DEFLATED).index(DEFLATED.encode()) + 22] + b"\xff" * 70, "dicom-unreadable"),
    ],
)
def test_unsound_file_is_refused(content: bytes, rule: str) -> None:
    """Without readable UIDs a file is none that an archive could file."""
    assert [rule] == rules(content)
    assert read_facts(io.BytesIO(content)) is None


def test_missing_modality_is_a_warning() -> None:
    """Some kinds of objects have none, so that a file without one passes."""
    (issue,) = examine(file(t00080060=None), MediaType.DICOM)
    assert (issue.rule.name, issue.rule.severity) == ("dicom-modality", "warning")


def test_beginning_is_judged_as_far_as_it_reaches() -> None:
    """Cut behind the SOP instance it passes as a beginning, not as a whole; cut before, not at all."""
    content = file()
    behind = content.index(PATIENT.encode())
    before = content.index(CT.encode())
    assert (rules(content[:behind], whole=False), rules(content[:behind])) == ([], ["dicom-uid"] * 2)
    assert rules(content[:before], whole=False) == ["dicom-uid"] * 2


def test_deflated_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a data set that would grow to a gigabyte a bounded part is unpacked."""
    monkeypatch.setattr(judged, "MAX_INFLATED_BYTES", 4096)
    packer = zlib.compressobj(wbits=-15)
    data = element((0x0008, 0x0016), "UI", CT) + bytes(50_000_000)
    meta = file(DEFLATED)[: len(file(DEFLATED)) - len(zlib.compress(b""))]
    content = meta[: meta.index(DEFLATED.encode()) + len(DEFLATED)] + packer.compress(data) + packer.flush()
    assert "dicom-uid" in rules(content)


@given(st.lists(st.tuples(st.integers(132, 400), st.integers(0, 255)), max_size=5), st.integers(132, 500))
def test_damaged_file_is_judged_and_not_quoted(changes: list[tuple[int, int]], length: int) -> None:
    """Whatever is damaged, there is a verdict, without a warning or a word of the patient."""
    damaged = bytearray(file())
    for place, value in changes:
        damaged[place % len(damaged)] = value
    told = str(outcome(examine(bytes(damaged[:length]), MediaType.DICOM)))
    assert "xzjw" not in told.lower()


def test_nothing_of_the_patient_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Not even on the chattiest level do logs have a name, an odd character set included."""
    with caplog.at_level(logging.DEBUG):
        content = file()
        start = content.index(CT.encode()) - 8
        charset = element((0x0008, 0x0005), "CS", "ISO_IR QXZJW")
        assert rules(content[:start] + charset + content[start:]) == []
    assert "xzjw" not in caplog.text.lower()
