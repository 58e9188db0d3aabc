"""SCALE, by types that are written as docs/reference/chain.md writes them.

Decoded, a value is an int, a bool, text, bytes, a list, a dict for named fields, a tuple for others. A
variant is its name or `(name, fields)`, an option the value or None, and a tuple of one its only value.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Cursor:
    """Bytes that are read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        taken = self._data[self._at : self._at + count]
        assert count == len(taken), "too few bytes"
        self._at += count
        return taken

    def number(self, size: int) -> int:
        """Return the next number, little-endian."""
        return int.from_bytes(self.take(size), "little")

    def compact(self) -> int:
        """Return the next compact number: its two lowest bits say how long it is."""
        first = self.number(1)
        if first & 3 == 3:
            return self.number(4 + (first >> 2))
        return (first | self.number((1 << (first & 3)) - 1) << 8) >> 2

    def rest(self) -> bytes:
        """Return whatever is left."""
        return self.take(len(self._data) - self._at)


def compact(value: int) -> bytes:
    """Encode a compact number."""
    for mode, size in ((0, 1), (1, 2), (2, 4)):
        if value < 1 << (8 * size - 2):
            return (value << 2 | mode).to_bytes(size, "little")
    size = max(4, (value.bit_length() + 7) // 8)
    return bytes([(size - 4) << 2 | 3]) + value.to_bytes(size, "little")


class Type(ABC):
    """How a value is encoded. `names` says what named types are."""

    @abstractmethod
    def read(self, data: Cursor, names: Names, /) -> Any:
        """Decode a value."""

    @abstractmethod
    def write(self, value: Any, names: Names, /) -> bytes:
        """Encode a value."""

    def plain(self, _names: Names, /) -> Type:
        """Return what counts on the wire: no names of types, no wrappers around one value."""
        return self


Names = dict[str, Type]


@dataclass(frozen=True)
class Number(Type):
    """An unsigned number, little-endian; compact when it has no size."""

    size: int

    def read(self, data: Cursor, _names: Names, /) -> int:
        """Decode a number."""
        return data.number(self.size) if self.size else data.compact()

    def write(self, value: int, _names: Names, /) -> bytes:
        """Encode a number."""
        return value.to_bytes(self.size, "little") if self.size else compact(value)


@dataclass(frozen=True)
class Flag(Type):
    """A byte that is 0 or 1."""

    def read(self, data: Cursor, _names: Names, /) -> bool:
        """Decode a flag."""
        return bool(data.number(1))

    def write(self, value: Any, _names: Names, /) -> bytes:
        """Encode a flag."""
        return bytes([value])


@dataclass(frozen=True)
class Text(Type):
    """UTF-8 behind its compact length."""

    def read(self, data: Cursor, _names: Names, /) -> str:
        """Decode a text."""
        return data.take(data.compact()).decode()

    def write(self, value: str, _names: Names, /) -> bytes:
        """Encode a text."""
        return compact(len(value.encode())) + value.encode()


@dataclass(frozen=True)
class Many(Type):
    """So many items of one type, or as many as a compact number in front says."""

    item: Type
    count: int | None = None

    def read(self, data: Cursor, names: Names, /) -> bytes | list[Any]:
        """Decode items; bytes where they are bytes."""
        count = data.compact() if self.count is None else self.count
        if self.item.plain(names) == Number(1):
            return data.take(count)
        return [self.item.read(data, names) for _ in range(count)]

    def write(self, value: Any, names: Names, /) -> bytes:
        """Encode items."""
        assert self.count in {None, len(value)}, f"{self.count} items, not {len(value)}"
        items = b"".join(self.item.write(one, names) for one in value)
        return items if self.count is not None else compact(len(value)) + items

    def plain(self, names: Names, /) -> Type:
        """Return it with a plain item."""
        return Many(self.item.plain(names), self.count)


@dataclass(frozen=True)
class Struct(Type):
    """Fields one after another; those of a tuple have no names."""

    fields: tuple[tuple[str, Type], ...] = ()

    @property
    def is_wrapper(self) -> bool:
        """Whether it is a single value in other clothes."""
        return len(self.fields) == 1 and not self.fields[0][0]

    def read(self, data: Cursor, names: Names, /) -> Any:
        """Decode the fields."""
        values = tuple(kind.read(data, names) for _, kind in self.fields)
        if self.is_wrapper:
            return values[0]
        named = {name: value for (name, _), value in zip(self.fields, values, strict=True) if name}
        return named or values

    def write(self, value: Any, names: Names, /) -> bytes:
        """Encode the fields."""
        values = (value,) if self.is_wrapper else value.values() if isinstance(value, dict) else value
        pairs = zip(self.fields, values, strict=True)
        return b"".join(kind.write(one, names) for (_, kind), one in pairs)

    def plain(self, names: Names, /) -> Type:
        """Return it with plain fields, without markers that have no bytes; a wrapper is what it wraps."""
        fields = [(name, kind.plain(names)) for name, kind in self.fields]
        kept = Struct(tuple((name, kind) for name, kind in fields if name or kind != Struct()))
        return kept.fields[0][1] if kept.is_wrapper else kept


@dataclass(frozen=True)
class Enum(Type):
    """One byte that says which variant, then the variant's fields."""

    variants: tuple[tuple[int, str, Struct], ...]

    @property
    def is_option(self) -> bool:
        """Whether it is a value that may be missing."""
        return ["None", "Some"] == [name for _, name, _ in self.variants]

    def read(self, data: Cursor, names: Names, /) -> Any:
        """Decode a variant."""
        which = data.number(1)
        [(name, fields)] = [(name, fields) for index, name, fields in self.variants if index == which]
        value = fields.read(data, names)
        if self.is_option:
            return None if name == "None" else value
        return (name, value) if fields.fields else name

    def write(self, value: Any, names: Names, /) -> bytes:
        """Encode a variant."""
        if self.is_option:
            value = "None" if value is None else ("Some", value)
        wanted, inner = (value, ()) if isinstance(value, str) else value
        [(index, fields)] = [(index, fields) for index, name, fields in self.variants if name == wanted]
        return bytes([index]) + fields.write(inner, names)

    def plain(self, names: Names, /) -> Type:
        """Return it with plain fields."""
        parts = [(index, name, fields.plain(names)) for index, name, fields in self.variants]
        return Enum(
            tuple(
                (index, name, one if isinstance(one, Struct) else Struct((("", one),)))
                for index, name, one in parts
            )
        )


@dataclass(frozen=True)
class Ref(Type):
    """A type that has a name."""

    name: str

    def read(self, data: Cursor, names: Names, /) -> Any:
        """Decode what the name stands for."""
        return names[self.name].read(data, names)

    def write(self, value: Any, names: Names, /) -> bytes:
        """Encode what the name stands for."""
        return names[self.name].write(value, names)

    def plain(self, names: Names, /) -> Type:
        """Return what the name stands for, plain."""
        return names[self.name].plain(names)


def option(item: Type) -> Enum:
    """Return the type of a value that may be missing."""
    return Enum(((0, "None", Struct()), (1, "Some", Struct((("", item),)))))


def decode(kind: Type, data: bytes, names: Names, /) -> Any:
    """Decode bytes, all of them."""
    cursor = Cursor(data)
    value = kind.read(cursor, names)
    assert not cursor.rest(), "too many bytes"
    return value


PRIMITIVES: Final[Mapping[str, Type]] = {
    "bool": Flag(),
    "str": Text(),
    "compact": Number(0),
    **{f"u{8 * size}": Number(size) for size in (1, 2, 4, 8, 16)},
}


class Notation:
    """Parses `u32`, `[u8; 32]`, `Vec<T>`, `Option<T>`, `(A, B)`, `struct { a: A }`, `enum { 0 A, 1 B(T) }`.

    Commas between fields and variants may be left out; `#` begins a comment.
    """

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = re.findall(r"\w+|[^\w\s]", re.sub("#.*", "", text))

    def definitions(self) -> Names:
        """Parse `NAME = TYPE`, one after another."""
        return dict(self._until("", lambda: self._pair("=")))

    def fields(self) -> Struct:
        """Parse `name: TYPE`, one after another."""
        return Struct(tuple(self._until("", lambda: self._pair(":"))))

    def type(self) -> Type:
        """Parse a type."""
        token = self._next()
        parse: dict[str, Callable[[], Type]] = {
            "[": self._array,
            "(": self._tuple,
            "Vec": self._vec,
            "Option": self._option,
            "struct": self._struct,
            "enum": self._enum,
        }
        return parse[token]() if token in parse else PRIMITIVES.get(token, Ref(token))

    def _pair(self, between: str) -> tuple[str, Type]:
        name = self._next()
        self._expect(between)
        return name, self.type()

    def _array(self) -> Type:
        item = self.type()
        self._expect(";")
        count = int(self._next())
        self._expect("]")
        return Many(item, count)

    def _tuple(self) -> Struct:
        return Struct(tuple(("", kind) for kind in self._until(")", self.type)))

    def _struct(self) -> Struct:
        self._expect("{")
        return Struct(tuple(self._until("}", lambda: self._pair(":"))))

    def _enum(self) -> Enum:
        self._expect("{")
        return Enum(tuple(self._until("}", self._variant)))

    def _variant(self) -> tuple[int, str, Struct]:
        index, name = int(self._next()), self._next()
        if self._skip("("):
            return index, name, self._tuple()
        return index, name, self._struct() if self._tokens[:1] == ["{"] else Struct()

    def _vec(self) -> Many:
        return Many(self._in_angles())

    def _option(self) -> Enum:
        return option(self._in_angles())

    def _in_angles(self) -> Type:
        self._expect("<")
        item = self.type()
        self._expect(">")
        return item

    def _until(self, end: str, parse: Callable[[], Any]) -> list[Any]:
        found = []
        while self._tokens[:1] != ([end] if end else []):
            found.append(parse())
            self._skip(",")
        self._skip(end)
        return found

    def _next(self) -> str:
        return self._tokens.pop(0)

    def _skip(self, token: str) -> bool:
        found = self._tokens[:1] == [token]
        del self._tokens[: int(found)]
        return found

    def _expect(self, token: str) -> None:
        assert self._skip(token), (token, self._tokens[:5])
