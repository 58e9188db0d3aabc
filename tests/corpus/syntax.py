"""What is no JSON, or JSON that FHIR does not take, and what is JSON in other writing."""

from __future__ import annotations

import json
from typing import Final

from tests.corpus.bases import COLLECTION, OBSERVATION, PATIENT
from tests.corpus.cases import Case, Draft, encoded, group

_TEXT: Final = encoded(PATIENT).decode()
_BYTES: Final = encoded(PATIENT)


def _broken(name: str, content: bytes | str) -> Draft:
    return Draft(
        name,
        valid=False,
        content=content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content,
    )


def _sound(name: str, content: bytes | str) -> Draft:
    return Draft(name, valid=True, content=content.encode() if isinstance(content, str) else content)


_BROKEN: Final = [
    _broken("nothing", b""),
    _broken("blanks", b"  \n "),
    _broken("null", b"null"),
    _broken("a number", b"7"),
    _broken("a string", b'"Patient"'),
    _broken("an array", b"[]"),
    _broken("an array of a resource", b"[" + _BYTES + b"]"),
    _broken("an empty object", b"{}"),
    _broken("cut off", _BYTES[:-1]),
    _broken("cut off in the middle", _BYTES[: len(_BYTES) // 2]),
    _broken("one brace too many", _BYTES + b"}"),
    _broken("two resources", _BYTES + b"\n" + _BYTES),
    _broken("words behind", _BYTES + b" end"),
    _broken("a comma at the end", _TEXT[:-1] + ",}"),
    _broken("a comma at the end of a list", _TEXT.replace('["Ada"]', '["Ada",]')),
    _broken("no comma", _TEXT.replace(', "gender"', ' "gender"')),
    _broken("single quotes", _TEXT.replace('"female"', "'female'")),
    _broken("names without quotes", _TEXT.replace('"gender"', "gender")),
    _broken("a comment", _TEXT.replace('"gender"', '/* note */ "gender"')),
    _broken("a line break in a string", _TEXT.replace("Seestrasse 1", "Seestrasse\n1")),
    _broken("a tab in a string", _TEXT.replace("Seestrasse 1", "Seestrasse\t1")),
    _broken("an escape that is none", _TEXT.replace("Seestrasse", "See\\xstrasse")),
    _broken("half an escape", _TEXT.replace("Seestrasse", "See\\u00")),
    _broken("a lone surrogate", _TEXT.replace("Seestrasse", "See\\ud800")),
    _broken("surrogates in the wrong order", _TEXT.replace("Seestrasse", "See\\udc00\\ud800")),
    _broken("a surrogate in UTF-8", _TEXT.replace("Seestrasse", "See\ud800")),
    _broken("Latin-1", _TEXT.replace("Zug", "Zürich").encode("latin-1")),
    _broken("UTF-16", _TEXT.encode("utf-16")),
    _broken("an overlong NUL", _BYTES.replace(b"Zug", b"Z\xc0\x80g")),
    _broken("a NUL byte", _BYTES.replace(b"Zug", b"Z\x00g")),
    _broken("True", _TEXT.replace("true", "True")),
    _broken("XML", b'<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>'),
    _broken("a name twice", _TEXT.replace('"gender"', '"gender": "male", "gender"')),
    _broken("a name twice, alike", _TEXT.replace('"gender"', '"gender": "female", "gender"')),
    _broken("a name twice, once escaped", _TEXT.replace('"gender"', '"gend\\u0065r": "male", "gender"')),
    _broken("the type twice", _TEXT.replace('"active"', '"resourceType": "Patient", "active"')),
    _broken(
        "a name twice in a data type",
        _TEXT.replace('"family": "Berg", "given"', '"family": "B", "family": "Berg", "given"'),
    ),
    _broken(
        "deeper than any resource", b'{"resourceType":"Patient","contact":' + b"[" * 5000 + b"]" * 5000 + b"}"
    ),
]

_SOUND: Final = [
    _sound("indented", json.dumps(PATIENT, indent=2)),
    _sound("with tabs and CRLF", json.dumps(PATIENT, indent="\t").replace("\n", "\r\n")),
    _sound("without any blanks", json.dumps(PATIENT, separators=(",", ":"))),
    _sound("sorted", json.dumps(PATIENT, sort_keys=True)),
    _sound("blanks around", b"\n\n  " + _BYTES + b"  \r\n"),
    _sound("escaped", json.dumps(PATIENT | {"name": [{"family": "Müller-Łódź 漢 🙂"}]}, ensure_ascii=True)),
    _sound("UTF-8", json.dumps(PATIENT | {"name": [{"family": "Müller-Łódź 漢 🙂"}]}, ensure_ascii=False)),
    _sound("an escaped slash", _TEXT.replace("Patient/p1", "Patient\\/p1")),
    _sound("an escaped letter in a name", _TEXT.replace('"gender"', '"gend\\u0065r"')),
    _sound("an escaped line break", _TEXT.replace("Seestrasse 1", "Seestrasse\\n1")),
    _sound("an Observation, sorted", json.dumps(OBSERVATION, sort_keys=True)),
    _sound("a Bundle, indented", json.dumps(COLLECTION, indent=4)),
    _sound(
        "type at the end",
        json.dumps(dict(sorted(PATIENT.items(), key=lambda item: item[0] == "resourceType"))),
    ),
]

CASES: Final[list[Case]] = group("json", "json.html, RFC 8259", [*_BROKEN, *_SOUND])
