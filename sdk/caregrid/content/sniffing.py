"""Tells kinds of content apart by their first bytes, and refuses garbage before anything heavy runs."""

from __future__ import annotations

import re
from typing import Final

from caregrid.content.faults import Issue, Rule
from caregrid.content.media import MediaType

#: So much of the start is enough to tell: a DICOM preamble, or an XML prolog with its comments.
SNIFF_BYTES: Final = 4096

#: Parsed JSON takes a multiple of its size in memory; larger content is kept as an opaque record.
MAX_TEXT_BYTES: Final = 64 * 1024 * 1024

DICOM_PREAMBLE_BYTES: Final = 128
DICOM_MAGIC: Final = b"DICM"

EMPTY: Final = Rule("empty", "required", "the content is empty")
TOO_LARGE: Final = Rule("too-large", "too-long", "the content is larger than the {0} bytes that are examined")
NUL: Final = Rule("nul", "invalid", "the content is no text: there is a NUL byte at offset {0}")
UTF_16: Final = Rule("utf-16", "invalid", "the content is UTF-16 or UTF-32; send UTF-8")
NOT_JSON_START: Final = Rule(
    "json-start", "structure", "a FHIR resource in JSON begins with an opening brace"
)
PACKED: Final = Rule(
    "packed", "not-supported", "the content is compressed or an archive; unpack it, and send what is in it"
)
_DISAGREES: Final = "the content is not what its media type says: "
NOT_DECLARED: Final = {
    MediaType.FHIR_JSON: Rule("media-type", "structure", _DISAGREES + "it looks like JSON"),
    MediaType.DICOM: Rule("media-type", "structure", _DISAGREES + "it looks like DICOM"),
    MediaType.CDA: Rule("media-type", "structure", _DISAGREES + "it looks like a CDA document"),
    MediaType.HL7_V2: Rule("media-type", "structure", _DISAGREES + "it looks like an HL7 v2 message"),
    MediaType.XML: Rule("media-type", "structure", _DISAGREES + "it looks like XML"),
    MediaType.OPAQUE: Rule("media-type", "structure", _DISAGREES + "nothing known begins like this"),
}

_PACKED: Final = (
    b"\x1f\x8b",  # gzip
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",  # zstd
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x04\x22\x4d\x18",  # lz4
)
_TAR: Final = slice(257, 262)
_BOM: Final = b"\xef\xbb\xbf"
_WIDE_BOMS: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_ROOT: Final = re.compile(
    rb"(?:\s|<\?[^>]*\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>)*<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL
)
_MESSAGE: Final = re.compile(rb"(?:MSH|FHS|BHS)[^A-Za-z0-9\s]")


def sniff(head: bytes) -> MediaType:
    """Return what content that begins like this looks like.

    Args:
        head: the first SNIFF_BYTES, or all of it if it is shorter.
    """
    if head[DICOM_PREAMBLE_BYTES : DICOM_PREAMBLE_BYTES + len(DICOM_MAGIC)] == DICOM_MAGIC:
        return MediaType.DICOM
    if head.startswith(_PACKED) or head[_TAR] == b"ustar":
        return MediaType.PACKED
    text = head.removeprefix(_BOM).lstrip(b" \t\r\n")
    if text.startswith(b"{"):
        return MediaType.FHIR_JSON
    if text.startswith(b"<"):
        root = _ROOT.match(text[:SNIFF_BYTES])
        return MediaType.CDA if root is not None and root[1] == b"ClinicalDocument" else MediaType.XML
    return MediaType.HL7_V2 if _MESSAGE.match(text.lstrip(b"\x0b")) else MediaType.OPAQUE


def precheck(head: bytes, declared: MediaType, size: int | None = None) -> Issue | None:
    """Return why content cannot be what it is declared to be, if its first bytes show it.

    Opaque content is never opened, so anything but nothing passes, archives too.

    Args:
        head: as for :func:`sniff`.
        declared: what the sender says.
        size: of the whole, if it is known; of the head otherwise.
    """
    if not head:
        return Issue(EMPTY)
    if declared is MediaType.OPAQUE:
        return None
    if declared is not MediaType.DICOM and (fault := _no_text(head, len(head) if size is None else size)):
        return fault
    found = sniff(head)
    if found is declared:
        return None
    if found is MediaType.OPAQUE and declared is MediaType.FHIR_JSON:
        return Issue(NOT_JSON_START)
    return Issue(PACKED if found is MediaType.PACKED else NOT_DECLARED[found])


def _no_text(head: bytes, size: int) -> Issue | None:
    if size > MAX_TEXT_BYTES:
        return Issue(TOO_LARGE, (MAX_TEXT_BYTES,))
    if head.startswith(_WIDE_BOMS):
        return Issue(UTF_16)
    if sniff(head) in {MediaType.PACKED, MediaType.DICOM}:
        return None  # told better as what they are
    nul = head[:SNIFF_BYTES].find(b"\0")
    return None if nul < 0 else Issue(NUL, (nul,))
