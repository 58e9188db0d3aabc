"""HL7 v2 in ER7, as far as its form goes (chapter 2 of the standard).

What segments a message of its type must have is not judged.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from caregrid.content.faults import Issue, Rule

HEADER: Final = Rule(
    "v2-header",
    "structure",
    "a message begins with `MSH`, its field separator and 4 or 5 encoding characters",
)
SEPARATORS: Final = Rule(
    "v2-separators",
    "structure",
    "separators must differ from each other, and be no letters, digits or blanks",
)
SEGMENT: Final = Rule(
    "v2-segment",
    "structure",
    "segment {0} has no name of three letters or digits, followed by the field separator",
)
LINE_ENDS: Final = Rule(
    "v2-line-ends", "structure", "segment {0} ends unlike the others; a segment ends with a carriage return"
)
FOREIGN_ENDS: Final = Rule(
    "v2-line-feeds",
    "structure",
    "segments end with line feeds; HL7 ends them with a carriage return",
    "warning",
)
FRAMED: Final = Rule(
    "v2-frame", "structure", "the transport's frame (0x0B, 0x1C) is no part of a message; leave it out"
)
CONTROL: Final = Rule(
    "v2-control", "invalid", "segment {0} has a control character that HL7 does not allow unescaped"
)
FIELD: Final = Rule("v2-field", "required", "MSH-{0} is required")
VERSION: Final = Rule("v2-version", "value", "MSH-12 must begin with a version of HL7 v2, such as 2.5.1")
UNKNOWN_CHARSET: Final = Rule(
    "v2-charset-unknown",
    "not-supported",
    "MSH-18 names a character set that is not known here; it was not checked",
    "warning",
)
NOT_IN_CHARSET: Final = Rule(
    "v2-charset", "invalid", "the text is not in the character set that MSH-18 declares (ASCII without one)"
)
NO_CHARSET: Final = Rule(
    "v2-charset-missing",
    "invalid",
    "the text is UTF-8, which MSH-18 should declare as UNICODE UTF-8",
    "warning",
)

#: Message type, control id, processing id, version.
_REQUIRED_FIELDS: Final = (9, 10, 11, 12)
_CHARSET_FIELD: Final = 18
_VERSION_FIELD: Final = 12

#: HL7 table 0211, as Python names them.
_CHARSETS: Final = {
    "": "ascii",
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-16",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "KS X 1001": "euc_kr",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
}
_ENDS: Final = re.compile(rb"\r\n|\r|\n")
_HEADER: Final = re.compile(rb"(?:MSH|FHS|BHS)(.)([^\r\n]{4,5}?)\1", re.DOTALL)
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f]")


def examine(content: bytes) -> list[Issue]:
    """Return what keeps content from being an HL7 v2 message, or a batch of them."""
    if content.startswith(b"\x0b"):
        return [Issue(FRAMED)]
    header = _HEADER.match(content)
    if header is None:
        return [Issue(HEADER)]
    if not _are_separators(header[1] + header[2]):
        return [Issue(SEPARATORS)]
    ends = _ENDS.findall(content)
    segments = _ENDS.split(content)
    if not segments[-1]:
        segments.pop()
    return [*_line_ends(ends), *_segments(segments, header[1]), *_headers(content, segments, header[1])]


def _are_separators(characters: bytes) -> bool:
    return len({*characters}) == len(characters) and not re.search(rb"[A-Za-z0-9\s\x80-\xff]", characters)


def _line_ends(ends: list[bytes]) -> list[Issue]:
    odd = next((number for number, end in enumerate(ends, 1) if end != ends[0]), None)
    if odd is not None:
        return [Issue(LINE_ENDS, (odd,))]
    return [Issue(FOREIGN_ENDS)] if ends and ends[0] != b"\r" else []


def _segments(segments: list[bytes], separator: bytes) -> list[Issue]:
    name = re.compile(rb"[A-Z][A-Z0-9]{2}(?:" + re.escape(separator) + rb"|$)")
    for number, segment in enumerate(segments, 1):
        if not name.match(segment):
            return [Issue(SEGMENT, (number,))]
        if _CONTROLS.search(segment):
            return [Issue(CONTROL, (number,))]
    return []


def _headers(content: bytes, segments: list[bytes], separator: bytes) -> list[Issue]:
    headers = [segment.split(separator) for segment in segments if segment.startswith(b"MSH" + separator)]
    if not headers:
        return [Issue(HEADER)]
    for fields in headers:
        if issues := _header(fields):
            return issues
    return _charset(content, _field(headers[0], _CHARSET_FIELD))


def _header(fields: list[bytes]) -> list[Issue]:
    missing = [Issue(FIELD, (number,)) for number in _REQUIRED_FIELDS if not _field(fields, number)]
    if not missing and not re.match(rb"2\.\d", _field(fields, _VERSION_FIELD)):
        return [Issue(VERSION)]
    return missing


def _field(fields: list[bytes], number: int) -> bytes:
    # MSH-1 is the separator itself, so MSH-n is at n-1.
    return fields[number - 1].strip() if number <= len(fields) else b""


def _charset(content: bytes, declared: bytes) -> list[Issue]:
    # A message may switch between further sets, named after a repetition character, by escapes.
    named = re.split(rb"[^A-Za-z0-9 /-]", declared)[0].decode("ascii").upper()
    codec = _CHARSETS.get(named)
    if codec is None:
        return [Issue(UNKNOWN_CHARSET)]
    if _decodes(content, codec):
        return []
    return [Issue(NO_CHARSET if not named and _decodes(content, "utf-8") else NOT_IN_CHARSET)]


def _decodes(content: bytes, codec: str) -> bool:
    try:
        codecs.decode(content, codec)
    except UnicodeDecodeError:
        return False
    return True
