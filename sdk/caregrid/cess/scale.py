"""A strict reader of SCALE: every length is bounded, and a value is exactly as long as its bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_HASH_TEXT: Final = re.compile(rb"[0-9a-f]{64}")
_COMPACT_MODE: Final = 3
_COMPACT_SIZES: Final = (1, 2, 4)


class Malformed(ValueError):
    """The bytes are not of the type that they should be."""


class Cursor:
    """Reads values one behind the other; raises `Malformed` for whatever does not fit."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """Read so many bytes."""
        end = self._at + count
        if end > len(self._data):
            raise Malformed
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def end(self) -> None:
        """Refuse bytes that are left."""
        if self._at != len(self._data):
            raise Malformed

    def unsigned(self, size: int) -> int:
        """Read an integer of so many bytes."""
        return int.from_bytes(self.take(size), "little")

    def boolean(self) -> bool:
        """Read a boolean."""
        return bool(self.index(2))

    def index(self, count: int) -> int:
        """Read the number of one of so many variants."""
        index = self.unsigned(1)
        if index >= count:
            raise Malformed
        return index

    def length(self, limit: int) -> int:
        """Read a compact length, in its shortest form as the chain writes it."""
        mode = self._peek() & _COMPACT_MODE
        # The mode for larger integers is never needed within our limits.
        if mode == _COMPACT_MODE:
            raise Malformed
        value = self.unsigned(_COMPACT_SIZES[mode]) >> 2
        if value > limit or (mode and value < 1 << 8 * _COMPACT_SIZES[mode - 1] - 2):
            raise Malformed
        return value

    def vector(self, limit: int) -> bytes:
        """Read a byte vector of so many bytes at most."""
        return self.take(self.length(limit))

    def sequence(self, limit: int, read: Callable[[Cursor], T]) -> tuple[T, ...]:
        """Read so many values at most."""
        # However long it claims to be, each value takes bytes that have to be there.
        return tuple(read(self) for _ in range(self.length(limit)))

    def option(self, read: Callable[[Cursor], T]) -> T | None:
        """Read a value that may be missing."""
        return read(self) if self.boolean() else None

    def hash_text(self) -> bytes:
        """Read 64 hexadecimal digits, which is how CESS writes a digest; return its 32 bytes."""
        text = self.take(64)
        if _HASH_TEXT.fullmatch(text) is None:
            raise Malformed
        return bytes.fromhex(text.decode())

    def _peek(self) -> int:
        if self._at >= len(self._data):
            raise Malformed
        return self._data[self._at]


def decoded(read: Callable[[Cursor], T], data: bytes) -> T:
    """Read one value from all of the bytes.

    Raises:
        Malformed: they are not of this type, or some are left.
    """
    cursor = Cursor(data)
    value = read(cursor)
    cursor.end()
    return value


def account(cursor: Cursor) -> bytes:
    """Read an account."""
    return cursor.take(32)


def block_number(cursor: Cursor) -> int:
    """Read a block's number."""
    return cursor.unsigned(4)


def amount(cursor: Cursor) -> int:
    """Read bytes of space, or an amount of tokens."""
    return cursor.unsigned(16)
