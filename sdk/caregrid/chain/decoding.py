"""Readers of SCALE, built from a runtime's own description of its types.

Numbers, text and booleans as in Python; bytes and lists of bytes as bytes; a struct as a dict, a tuple as a
list, what wraps one thing as that thing; a variant as its name, or as a dict of its name and what it holds;
an `Option` as the thing or None.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from caregrid.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Reads a value at an offset; returns it and the offset behind it.
Reader: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
StructReader: TypeAlias = Callable[[bytes, int], tuple[dict[str, Any], int]]
_Definition: TypeAlias = "Mapping[str, Any]"

_SIZES: Final = {f"{kind}{bits}": (kind, bits // 8) for kind in "ui" for bits in (8, 16, 32, 64, 128, 256)}


@contextmanager
def refusing_nonsense() -> Iterator[None]:
    """Turn what comes of bytes that do not fit their type into one error."""
    try:
        yield
    except (IndexError, KeyError, ValueError, struct.error) as exc:
        raise ProtocolViolation("a node's answer does not fit the types of its runtime") from exc


def require_end(data: bytes, at: int) -> None:
    """Refuse a value that is longer or shorter than its bytes."""
    if at != len(data):
        raise ValueError(at)


def compact(data: bytes, at: int) -> tuple[int, int]:
    """Read a compact integer."""
    mode = data[at] & 3
    if mode == 0:
        return data[at] >> 2, at + 1
    if mode == 3:  # noqa: PLR2004 - SCALE's modes are 0 to 3
        end = at + 5 + (data[at] >> 2)
        return int.from_bytes(data[at + 1 : end], "little"), end
    end = at + 2 * mode
    return int.from_bytes(data[at:end], "little") >> 2, end


class Readers:
    """Of all types of one runtime; each is built when it is first met."""

    def __init__(self, types: Mapping[int, _Definition]) -> None:
        """Remember the types, by number."""
        self._types = types
        self._built: dict[int, Reader] = {}
        self._numbers = {"::".join(entry["path"]): number for number, entry in types.items()}

    def number(self, path: str) -> int:
        """Return a type's number."""
        return self._numbers[path]

    def named(self, path: str) -> Reader:
        """Return the reader of a type."""
        return self.reader(self.number(path))

    def fields(self, number: int) -> dict[str, int]:
        """Return a struct's fields with their types."""
        fields = self._types[number]["def"]["composite"]["fields"]
        return {field["name"]: field["type"] for field in fields}

    def variants(self, number: int) -> dict[int, _Definition]:
        """Return an enum's variants by index."""
        return {each["index"]: each for each in self._types[number]["def"]["variant"]["variants"]}

    def named_fields(self, fields: Sequence[_Definition]) -> StructReader:
        """Return the reader of fields as a dict; those without names are its `value`."""
        if not fields or all(field.get("name") for field in fields):
            return self._struct(fields)
        return _wrapped(self._content(fields), "value")

    def reader(self, number: int) -> Reader:
        """Return the reader of a type."""
        if number not in self._built:
            # A type may hold itself: whoever asks meanwhile gets one that looks it up later.
            self._built[number] = lambda data, at: self._built[number](data, at)  # noqa: PLW0108 - later it is another
            self._built[number] = self._build(self._types[number])
        return self._built[number]

    def _build(self, entry: _Definition) -> Reader:  # noqa: PLR0911 - a kind of type each
        [(kind, definition)] = entry["def"].items()
        match kind:
            case "primitive":
                return _primitive(definition)
            case "compact":
                return compact
            case "array":
                return self._array(definition["type"], definition["len"])
            case "sequence":
                return self._sequence(definition["type"])
            case "tuple":
                return self._content([{"type": each} for each in definition])
            case "composite":
                return self._content(definition["fields"])
            case "variant":
                return self._variant(entry["path"], definition["variants"])
        raise ProtocolViolation(f"the runtime has a type of a kind that is not known here: {kind}")

    def _is_byte(self, number: int) -> bool:
        return bool(self._types[number]["def"] == {"primitive": "u8"})

    def _content(self, fields: Sequence[_Definition]) -> Reader:
        if fields and all(field.get("name") for field in fields):
            return self._struct(fields)
        readers = [self.reader(field["type"]) for field in fields]
        if len(readers) == 1:
            return readers[0]
        return _tuple(readers)

    def _struct(self, fields: Sequence[_Definition]) -> StructReader:
        named = [(field["name"], self.reader(field["type"])) for field in fields]

        def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
            value = {}
            for name, reader in named:
                value[name], at = reader(data, at)
            return value, at

        return read

    def _array(self, inner: int, count: int) -> Reader:
        if self._is_byte(inner):
            return lambda data, at: (_slice(data, at, at + count), at + count)
        return _tuple([self.reader(inner)] * count)

    def _sequence(self, inner: int) -> Reader:
        if self._is_byte(inner):
            return _bytes
        reader = self.reader(inner)

        def read(data: bytes, at: int) -> tuple[list[Any], int]:
            count, at = compact(data, at)
            # A length that is nonsense must not cost memory. What stands in a list takes a byte at least.
            if count > len(data) - at:
                raise ValueError(count)
            values = []
            for _ in range(count):
                value, at = reader(data, at)
                values.append(value)
            return values, at

        return read

    def _variant(self, path: Sequence[str], variants: Sequence[_Definition]) -> Reader:
        if list(path) == ["Option"]:
            return _option(self._content(variants[1]["fields"]))
        readers = {
            each["index"]: _wrapped(self._content(each["fields"]), each["name"])
            if each["fields"]
            else _constant(each["name"])
            for each in variants
        }
        return lambda data, at: readers[data[at]](data, at + 1)


def _slice(data: bytes, start: int, end: int) -> bytes:
    if end > len(data):
        raise ValueError(end)
    return data[start:end]


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    count, at = compact(data, at)
    return _slice(data, at, at + count), at + count


def _text(data: bytes, at: int) -> tuple[str, int]:
    value, at = _bytes(data, at)
    return value.decode(), at


def _boolean(data: bytes, at: int) -> tuple[bool, int]:
    return (False, True)[data[at]], at + 1


def _primitive(name: str) -> Reader:
    if name == "str":
        return _text
    if name == "bool":
        return _boolean
    kind, size = _SIZES["u32" if name == "char" else name]
    signed = kind == "i"
    return lambda data, at: (
        int.from_bytes(_slice(data, at, at + size), "little", signed=signed),
        at + size,
    )


def _constant(value: Any) -> Reader:
    return lambda _, at: (value, at)


def _wrapped(reader: Reader, name: str) -> Reader:
    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        value, at = reader(data, at)
        return {name: value}, at

    return read


def _option(reader: Reader) -> Reader:
    return lambda data, at: reader(data, at + 1) if _boolean(data, at)[0] else (None, at + 1)


def _tuple(readers: Sequence[Reader]) -> Reader:
    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        values = []
        for reader in readers:
            value, at = reader(data, at)
            values.append(value)
        return values, at

    return read
