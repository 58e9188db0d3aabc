"""The formats of primitive types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.corpus.bases import OBSERVATION, PARAMETERS, PATIENT
from tests.corpus.cases import ALL, R5, Case, Draft, Resource, bad, encoded, good, group

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONG: Final = "a" * 64


def _valued(kind: str, values: Iterable[Any], build: Any) -> list[Draft]:
    """Return a case for each value, as a parameter of the kind."""
    return [
        build(
            f"{kind} {str(value)[:40]!r}", PARAMETERS, {"parameter[0]": {"name": "p", f"value{kind}": value}}
        )
        for value in values
    ]


def _of(
    kind: str, *, right: Iterable[Any], wrong: Iterable[Any], versions: Iterable[str] = ALL
) -> list[Case]:
    drafts = [*_valued(kind, right, good), *_valued(kind, wrong, bad)]
    return group(f"format-{kind.lower()}", f"datatypes.html#{kind.lower()}", drafts, versions)


def _numbered(rule: str, base: Resource, pairs: Iterable[tuple[str, bool]]) -> list[Case]:
    """Return cases whose number `@` is written as given, which Python's own numbers would not keep."""
    written = encoded(base).decode()
    drafts = [
        Draft(f"written {number}", valid, written.replace('"@"', number).encode()) for number, valid in pairs
    ]
    return group(rule, "datatypes.html#decimal, json.html", drafts)


_QUANTITY: Final = OBSERVATION | {"valueQuantity": {"value": "@"}}
_INTEGER: Final = OBSERVATION | {"valueInteger": "@"}
del _INTEGER["valueQuantity"]

CASES: Final[list[Case]] = [
    *_of(
        "Date",
        right=["2024", "2024-02", "2024-02-29", "0001-01-01", "9999-12-31"],
        wrong=[
            "2023-02-29",
            "2024-13",
            "2024-00-10",
            "2024-2-9",
            "24-02-09",
            "2024-04-31",
            "2024-02-30",
            "29.02.2024",
            "2024/02/29",
            "20240229",
            "2024-02-29T10:00:00Z",
            "2024-02-29Z",
            "02-29",
            "2024-",
            "1900-02-29",
            "today",
            "12024-01-01",
            " 2024",
            "2024-02-29 ",
        ],
    ),
    *_of(
        "DateTime",
        right=[
            "2024",
            "2024-02",
            "2024-02-29",
            "2024-02-29T10:00:00Z",
            "2024-02-29T10:00:00.123+01:00",
            "2024-02-29T23:59:59-12:00",
            "2024-02-29T00:00:00+14:00",
            "2016-12-31T23:59:60Z",
            "2024-02-29T10:00:00.123456789Z",
        ],
        wrong=[
            "2024-02-29T10:00:00",
            "2024-02-29T10:00Z",
            "2024-02-29T10Z",
            "2024-02-29T24:00:00Z",
            "2024-02-29T10:60:00Z",
            "2024-02-29T10:00:61Z",
            "2024-02-29 10:00:00Z",
            "2023-02-29T10:00:00Z",
            "2024-02-29T10:00:00+15:00",
            "2024-02-29T10:00:00+0100",
            "2024-02-29T10:00:00+01",
            "2024-02T10:00:00Z",
            "2024-02-29T10:00:00.Z",
            "2024-02-29t10:00:00z",
            "2024-02-29T10:00:00 Z",
            "20240229100000+0100",
            "2024-2-29T10:00:00Z",
            "2024-02-29T1:00:00Z",
            "-2024-01-01",
        ],
    ),
    *_of(
        "Instant",
        right=["2024-02-29T10:00:00Z", "2024-02-29T10:00:00.5-05:00"],
        wrong=[
            "2024",
            "2024-02",
            "2024-02-29",
            "2024-02-29T10:00:00",
            "2024-02-29T10:00Z",
            "2024-02-30T10:00:00Z",
        ],
    ),
    *_of(
        "Time",
        right=["10:00:00", "00:00:00", "23:59:59.999"],
        wrong=[
            "10:00",
            "24:00:00",
            "10:60:00",
            "9:00:00",
            "10:00:00Z",
            "10:00:00+01:00",
            "10",
            "T10:00:00",
            "10:00 am",
        ],
    ),
    *_of("Code", right=["a", "a b", "ä-1.x", "A/B"], wrong=[" a", "a ", "a  b", "a\tb", "a\nb", " "]),
    *_of(
        "Id",
        right=["a", "A-1.b", _LONG, "0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a01"],
        wrong=[f"{_LONG}a", "a b", "a_b", "a/b", "ä", "#a", "a:b", ""],
    ),
    *_of(
        "Uri",
        right=[
            "http://spital.example/x",
            "urn:oid:1.2.3",
            "urn:uuid:0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a01",
            "mailto:a@b.example",
            "Patient/1",
            "#a",
        ],
        wrong=[
            "http://spital.example/a b",
            " http://a.example",
            "urn:oid:1.2.x",
            "urn:oid:3.1",
            "urn:uuid:1234",
            "urn:uuid:0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a0g",
            "http://a.example\n",
        ],
    ),
    *_of(
        "Url",
        right=[
            "http://spital.example/x",
            "ftp://spital.example/x",
            "https://spital.example:8443/a?b=c#d",
            "mailto:a@b.example",
        ],
        wrong=["http://spital.example/a b", ""],
    ),
    *_of(
        "Canonical",
        right=["http://spital.example/x|1.0", "http://spital.example/x", "urn:oid:1.2.3"],
        wrong=["http://spital.example/a b", ""],
    ),
    *_of(
        "Oid",
        right=["urn:oid:1.2.3.4", "urn:oid:2.16.840.1.113883.6.1", "urn:oid:0.0.0"],
        wrong=[
            "1.2.3.4",
            "urn:oid:1.02.3",
            "urn:oid:1.2.",
            "urn:oid:3.2.1",
            "oid:1.2.3",
            "urn:oid:",
            "urn:OID:1.2.3",
        ],
    ),
    *_of(
        "Uuid",
        right=["urn:uuid:0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a01"],
        wrong=[
            "0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a01",
            "urn:uuid:0b5b0d4e9a3c4e598f0a5d5a6f1d9a01",
            "urn:uuid:0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a0",
            "urn:uuid:",
        ],
    ),
    *_of(
        "Base64Binary",
        right=["SGVsbG8=", "SGVsbG8h", "QQ==", "+/+/"],
        wrong=["SGVsbG8", "SGVsbG8==", "SGVs*G8=", "=", "SGVsbG8-", "SGVsbG8_", "A", "Hello!"],
    ),
    *_of(
        "Integer",
        right=[0, -1, 2147483647, -2147483648],
        wrong=[2147483648, -2147483649, 1.5, "1", True, 99999999999999999999],
    ),
    *_of("PositiveInt", right=[1, 2147483647], wrong=[0, -1, 2147483648, 1.5, "1"]),
    *_of("UnsignedInt", right=[0, 1, 2147483647], wrong=[-1, 2147483648, 0.5, "0"]),
    *_of(
        "Integer64",
        right=["0", "-9223372036854775808", "9223372036854775807"],
        wrong=["9223372036854775808", "1.0", "x", ""],
        versions=R5,
    ),
    *_of("Boolean", right=[True, False], wrong=["true", "yes", 0, 1, "True"]),
    *_of(
        "String",
        right=["a", "ä 漢字 🙂", "two\nlines", "a\ttab", "x" * 5000, " leading"],
        wrong=["", "a\u0000b", "a\u0007b", 5, False],
    ),
    *_of("Markdown", right=["# Head\n\n* a\n* b", "a **bold** word"], wrong=["", 5]),
    *_numbered(
        "format-decimal",
        _QUANTITY,
        [
            ("7", True),
            ("7.20", True),
            ("1.00", True),
            ("-0.5", True),
            ("0", True),
            ("1e3", True),
            ("1.5E-3", True),
            ("1E+2", True),
            ("0.000000000001", True),
            ("123456789.123456", True),
            ('"7.2"', False),
            ("07.2", False),
            ("+7.2", False),
            (".5", False),
            ("7.", False),
            ("1e", False),
            ("NaN", False),
            ("Infinity", False),
            ("-", False),
            ("0x10", False),
            ("7,2", False),
            ("true", False),
            ("null", False),
        ],
    ),
    *_numbered(
        "format-integer",
        _INTEGER,
        [
            ("7", True),
            ("-7", True),
            ("0", True),
            ("7.0", False),
            ("7.5", False),
            ("007", False),
            ("+7", False),
            ("- 7", False),
        ],
    ),
    *group(
        "format-id",
        "resource.html#id: 1 to 64 characters of A-Z, a-z, 0-9, - and .",
        [
            good("of 64", PATIENT, {"id": _LONG}),
            good("dots and dashes", PATIENT, {"id": "A-1.b"}),
            bad("of 65", PATIENT, {"id": f"{_LONG}a"}),
            bad("an underscore", PATIENT, {"id": "a_b"}),
            bad("a slash", PATIENT, {"id": "Patient/p1"}),
            bad("a blank", PATIENT, {"id": "p 1"}),
            bad("an umlaut", PATIENT, {"id": "Zürich"}),
        ],
    ),
    *group(
        "format-instant",
        "resource.html#Meta",
        [
            good(
                "lastUpdated",
                PATIENT,
                {"meta": {"lastUpdated": "2024-02-29T10:00:00.000+01:00", "versionId": "3"}},
            ),
            bad("lastUpdated is a date", PATIENT, {"meta": {"lastUpdated": "2024-02-29"}}),
            bad("versionId is no id", PATIENT, {"meta": {"versionId": "W/3"}}),
        ],
    ),
]
