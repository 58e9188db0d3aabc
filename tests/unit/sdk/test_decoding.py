"""Readers that are built from descriptions of types."""

from __future__ import annotations

from typing import Any

import pytest

from caregrid.chain.decoding import Readers, refusing_nonsense, require_end
from caregrid.errors import ProtocolViolation

U8, U32, TEXT, BOOL, BYTES, TREE, TREES, OPTION, WRAPPED, PAIR, STRUCT, ENUM, I16, WORDS, FOUR, BITS = range(
    16
)


def composite(*fields: tuple[str | None, int]) -> dict[str, Any]:
    """Return a struct's definition."""
    return {"composite": {"fields": [{"name": name, "type": number} for name, number in fields]}}


def variants(*variants: tuple[int, str, list[tuple[str | None, int]]]) -> dict[str, Any]:
    """Return an enum's definition."""
    return {
        "variant": {
            "variants": [
                {"index": index, "name": name, "fields": composite(*fields)["composite"]["fields"]}
                for index, name, fields in variants
            ]
        }
    }


DEFINITIONS: dict[int, dict[str, Any]] = {
    U8: {"primitive": "u8"},
    U32: {"primitive": "u32"},
    TEXT: {"primitive": "str"},
    BOOL: {"primitive": "bool"},
    BYTES: {"sequence": {"type": U8}},
    TREE: composite(("leaf", U8), ("children", TREES)),
    TREES: {"sequence": {"type": TREE}},
    OPTION: variants((0, "None", []), (1, "Some", [(None, U32)])),
    WRAPPED: composite((None, BYTES)),
    PAIR: {"tuple": [U8, BOOL]},
    STRUCT: composite(("one", U8), ("two", TEXT)),
    ENUM: variants((0, "Plain", []), (3, "One", [(None, U8)]), (7, "Named", [("a", U8), ("b", BOOL)])),
    I16: {"primitive": "i16"},
    WORDS: {"array": {"type": U32, "len": 2}},
    FOUR: {"array": {"type": U8, "len": 4}},
    BITS: {"bitsequence": {}},
}


def readers() -> Readers:
    """Return the readers of all these types."""
    return Readers(
        {
            number: {"path": ["Option"] if number == OPTION else [f"T{number}"], "def": definition}
            for number, definition in DEFINITIONS.items()
        }
    )


def decode(number: int, data: bytes) -> Any:
    """Return a whole value."""
    with refusing_nonsense():
        value, at = readers().reader(number)(data, 0)
        require_end(data, at)
        return value


@pytest.mark.parametrize(
    ("number", "data", "value"),
    [
        (U8, b"\xff", 255),
        (U32, b"\x01\x02\x00\x00", 513),
        (I16, b"\xfe\xff", -2),
        (TEXT, b"\x0cabc", "abc"),
        (BOOL, b"\x01", True),
        (BYTES, b"\x08\x00\xff", b"\x00\xff"),
        (WRAPPED, b"\x040", b"0"),
        (FOUR, b"0x61", b"0x61"),
        (WORDS, b"\x01\x00\x00\x00\x02\x00\x00\x00", [1, 2]),
        (PAIR, b"\x05\x00", [5, False]),
        (STRUCT, b"\x07\x04x", {"one": 7, "two": "x"}),
        (OPTION, b"\x00", None),
        (OPTION, b"\x01\x09\x00\x00\x00", 9),
        (ENUM, b"\x00", "Plain"),
        (ENUM, b"\x03\x09", {"One": 9}),
        (ENUM, b"\x07\x09\x01", {"Named": {"a": 9, "b": True}}),
        (
            TREE,
            b"\x01\x08\x02\x00\x03\x00",
            {"leaf": 1, "children": [{"leaf": 2, "children": []}, {"leaf": 3, "children": []}]},
        ),
    ],
)
def test_every_kind_of_type(number: int, data: bytes, value: Any) -> None:
    """Bytes stay bytes, also when they look like text; a type may hold itself."""
    assert value == decode(number, data)


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (U32, b"\x01\x02\x00"),
        (U8, b"\x01\x02"),
        (TEXT, b"\x04\xff"),
        (TEXT, b"\x08a"),
        (BOOL, b"\x02"),
        (FOUR, b"abc"),
        (OPTION, b"\x02"),
        (ENUM, b"\x01"),
        (TREES, b"\x03\xff\xff\xff\xff"),
        (BYTES, b"\xff" * 70),
        (BITS, b""),
        (U8, b""),
    ],
)
def test_nonsense_is_refused(number: int, data: bytes) -> None:
    """Cut, too long, no text, no such variant, a length beyond all memory: one error."""
    with pytest.raises(ProtocolViolation):
        decode(number, data)
