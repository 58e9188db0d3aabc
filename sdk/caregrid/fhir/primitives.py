"""How FHIR's primitive types are written in JSON, as far as the library does not check it.

Patterns are those of https://hl7.org/fhir/R4/datatypes.html#primitive, rewritten where the original would
backtrack. Dates, times and ranges of numbers are left to the library.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from caregrid.fhir import rules

#: https://hl7.org/fhir/R4/datatypes.html#string
MAX_STRING_CHARS: Final = 1024 * 1024

_INTEGERS: Final = frozenset({"integer", "positiveInt", "unsignedInt"})

_URI: Final = re.compile(r"\S+")
_PATTERNS: Final = {
    "canonical": _URI,
    "uri": _URI,
    "url": _URI,
    "code": re.compile(r"\S+(?:\s\S+)*"),
    "id": re.compile(r"[A-Za-z0-9\-.]{1,64}"),
    "integer64": re.compile(r"0|-?[1-9][0-9]{0,18}"),
    "oid": re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
    "uuid": re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
}
_LEXICAL: Final = {name: rules.lexical(name) for name in (*_PATTERNS, "base64Binary")}
_BASE64: Final = re.compile(r"[0-9A-Za-z+/\s]*(?:=\s*){0,2}")
_SPACE: Final = re.compile(r"\s+")


def fault(primitive: str, value: Any) -> rules.Rule | None:
    """Return the rule that a JSON value breaks as a FHIR primitive, or None."""
    if primitive == "boolean":
        return None if isinstance(value, bool) else rules.NOT_A_BOOLEAN
    if primitive in _INTEGERS:
        return None if type(value) is int else rules.NOT_AN_INTEGER
    if primitive == "decimal":
        return None if type(value) in {int, Decimal} else rules.NOT_NUMERIC
    return _string_fault(primitive, value) if isinstance(value, str) else rules.NOT_A_STRING


def _string_fault(primitive: str, value: str) -> rules.Rule | None:
    if not value:
        return rules.EMPTY_VALUE
    if not (value.isascii() or _is_unicode(value)):
        return rules.NOT_UNICODE
    if primitive == "string" and len(value) > MAX_STRING_CHARS:
        return rules.LONG_STRING
    if primitive == "base64Binary":
        return None if _is_base64(value) else _LEXICAL[primitive]
    pattern = _PATTERNS.get(primitive)
    return None if pattern is None or pattern.fullmatch(value) else _LEXICAL[primitive]


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_base64(value: str) -> bool:
    return _BASE64.fullmatch(value) is not None and len(_SPACE.sub("", value)) % 4 == 0
