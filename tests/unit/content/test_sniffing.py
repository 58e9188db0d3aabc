"""Content is told apart by its first bytes, and must be what it is declared to be."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.content import MediaType, declared, examine, precheck, sniff, sniffing
from caregrid.errors import MediaTypeUnsupported
from caregrid.records import RecordFormat

FHIR = b'{"resourceType":"Patient"}'
CDA = b'<?xml version="1.0"?>\n<!-- <html> -->\n<ClinicalDocument xmlns="urn:hl7-org:v3"/>'
MESSAGE = b"MSH|^~\\&|LAB|A|B|C|20260101||ORU^R01|1|P|2.5.1\r"
DICOM = bytes(128) + b"DICM"


def archive(kind: str) -> bytes:
    """Return an archive with a resource in it."""
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as packed:
            packed.writestr(zipfile.ZipInfo("patient.json"), FHIR)
    else:
        with tarfile.open(fileobj=out, mode="w") as packed_tar:
            packed_tar.addfile(tarfile.TarInfo("empty"))
    return out.getvalue()


ZIP, TAR = archive("zip"), archive("tar")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (FHIR, MediaType.FHIR_JSON),
        (b"\xef\xbb\xbf \r\n\t{}", MediaType.FHIR_JSON),
        (CDA, MediaType.CDA),
        (b'<cda:ClinicalDocument xmlns:cda="urn:hl7-org:v3"/>', MediaType.CDA),
        (b"<Patient/>", MediaType.XML),
        (b"<ClinicalDocuments/>", MediaType.XML),
        (b"<<", MediaType.XML),
        (MESSAGE, MediaType.HL7_V2),
        (b"\x0b" + MESSAGE, MediaType.HL7_V2),
        (b"FHS|^~\\&|", MediaType.HL7_V2),
        (b"MSHA", MediaType.OPAQUE),
        (DICOM, MediaType.DICOM),
        (DICOM[:131], MediaType.OPAQUE),
        (gzip.compress(FHIR, mtime=0), MediaType.PACKED),
        (ZIP, MediaType.PACKED),
        (TAR, MediaType.PACKED),
        (b"%PDF-1.7", MediaType.OPAQUE),
        (b"[1]", MediaType.OPAQUE),
        (b"", MediaType.OPAQUE),
    ],
)
def test_first_bytes_tell(head: bytes, expected: MediaType) -> None:
    """Each kind of content is known by how it begins."""
    assert expected is sniff(head)


SAMPLES = {
    MediaType.FHIR_JSON: FHIR,
    MediaType.CDA: CDA,
    MediaType.HL7_V2: MESSAGE,
    MediaType.DICOM: DICOM,
    MediaType.XML: b"<html/>",
    MediaType.PACKED: gzip.compress(FHIR, mtime=0),
    MediaType.OPAQUE: b"%PDF",
}


@pytest.mark.parametrize("said", [MediaType.FHIR_JSON, MediaType.CDA, MediaType.HL7_V2, MediaType.DICOM])
@pytest.mark.parametrize("is_really", list(SAMPLES))
def test_declared_type_must_be_the_real_one(said: MediaType, is_really: MediaType) -> None:
    """What is declared passes exactly if the content looks like it."""
    fault = precheck(SAMPLES[is_really], said)
    assert (said is is_really) == (fault is None)
    if is_really is MediaType.PACKED:
        assert fault is not None
        assert fault.rule.name == "packed"


@pytest.mark.parametrize("content", list(SAMPLES.values()))
def test_opaque_content_is_never_opened(content: bytes) -> None:
    """Declared opaque, anything passes: a document in an archive format is a record like any other."""
    assert examine(content, MediaType.OPAQUE) == []


@pytest.mark.parametrize("said", list(MediaType))
def test_nothing_is_no_content(said: MediaType) -> None:
    """Empty content is refused whatever it is declared to be."""
    assert [issue.rule.name for issue in examine(b"", said)] == ["empty"]


@pytest.mark.parametrize(
    ("head", "rule"),
    [
        (FHIR.decode().encode("utf-16"), "utf-16"),
        (FHIR.decode().encode("utf-16-be"), "nul"),
        (b"{\0", "nul"),
        (b"hello", "json-start"),
        (b"[]", "json-start"),
    ],
)
def test_garbage_is_named(head: bytes, rule: str) -> None:
    """What cannot be FHIR in JSON is refused by its first bytes."""
    fault = precheck(head, MediaType.FHIR_JSON)
    assert fault is not None
    assert fault.rule.name == rule


def test_too_much_text_is_refused_by_its_announced_size() -> None:
    """The size of the whole decides, though only the head is there; opaque content has no such bound."""
    size = sniffing.MAX_TEXT_BYTES + 1
    fault = precheck(FHIR, MediaType.FHIR_JSON, size)
    assert fault is not None
    assert fault.text == f"the content is larger than the {sniffing.MAX_TEXT_BYTES} bytes that are examined"
    assert precheck(FHIR, MediaType.FHIR_JSON, size - 1) is None
    assert precheck(DICOM, MediaType.DICOM, size) is None


@given(st.binary(max_size=300), st.sampled_from(MediaType))
def test_arbitrary_content_is_judged(content: bytes, said: MediaType) -> None:
    """Any bytes give issues of our own texts, or none; never an exception."""
    for issue in examine(content, said):
        assert issue.text


@pytest.mark.parametrize(
    ("content_type", "media_type", "record_format"),
    [
        ("application/fhir+json", MediaType.FHIR_JSON, RecordFormat.FHIR_R4_JSON),
        ("application/fhir+json; fhirVersion=4.3", MediaType.FHIR_JSON, RecordFormat.FHIR_R4B_JSON),
        (
            'Application/FHIR+JSON; charset=utf-8; fhirVersion="5.0"',
            MediaType.FHIR_JSON,
            RecordFormat.FHIR_R5_JSON,
        ),
        ("application/dicom", MediaType.DICOM, RecordFormat.DICOM),
        ("application/cda+xml", MediaType.CDA, RecordFormat.BINARY),
        ("x-application/hl7-v2+er7; charset=utf-8", MediaType.HL7_V2, RecordFormat.BINARY),
        ("application/octet-stream", MediaType.OPAQUE, RecordFormat.BINARY),
    ],
)
def test_content_type_is_read(content_type: str, media_type: MediaType, record_format: RecordFormat) -> None:
    """Each name that is taken in means a kind of content, and a format of the chain."""
    found = declared(content_type)
    assert (media_type, record_format) == (found.media_type, found.record_format)


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/json", "application/fhir+json; fhirVersion=3.0", "\n", ";"],
)
def test_unknown_content_type_is_refused(content_type: str) -> None:
    """What is not taken in is refused, and the error says what is."""
    with pytest.raises(MediaTypeUnsupported):
        declared(content_type)
