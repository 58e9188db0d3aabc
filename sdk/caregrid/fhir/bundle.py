"""Takes bundles apart into their entries, each resource byte for byte as its sender wrote it.

The text is cut, not parsed and written again: a decimal `1.50` stays `1.50`, whose last digit is a statement
of precision in FHIR, and so do key order, escapes and white space.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.content.jsontext import text_of
from caregrid.errors import InputInvalid, JsonBroken

if TYPE_CHECKING:
    from collections.abc import Iterator

#: One bundle becomes this many records at most; FHIR servers refuse transactions far smaller than that.
MAX_ENTRIES: Final = 10_000

#: Bundles whose entries stand for themselves. All others (document, message, history, ...) mean something as
#: a whole only, and are one record.
SPLIT_TYPES: Final = frozenset({"transaction", "batch", "collection"})

_SPACE: Final = re.compile(r"[ \t\r\n]*")
# Values are only skipped here, so numbers need not be numbers.
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One entry of a bundle that was taken apart."""

    full_url: str | None  #: what other entries refer to it by
    resource: bytes | None  #: as it was written; None for a request to delete or read, which is no record


def is_bundle(content: bytes) -> bool:
    """Tell whether content is the JSON of a FHIR Bundle, of whatever type; never raises.

    Reads as far as `resourceType` only, so a yes does not mean that the rest is sound.
    """
    try:
        scanner = _Scanner(text_of(content))
        return any(key == "resourceType" and scanner.value() == "Bundle" for key in scanner.members())
    except (InputInvalid, json.JSONDecodeError, RecursionError):
        return False


def bundle_entries(content: bytes) -> list[Entry] | None:
    """Return the entries of a bundle, or None for one that is not of SPLIT_TYPES and so stays whole.

    The list is as long as `entry`, so that an index names an entry. Resources are not judged here.

    Raises:
        InputEmpty: there is no content.
        InputTooLarge: the content is larger than is parsed.
        JsonBroken: the content is not JSON, or an object has a property more than once.
        InputInvalid: no Bundle, entries that are no objects, or more than MAX_ENTRIES of them.
    """
    text = text_of(content)
    try:
        return _split(text) if _head(text) in SPLIT_TYPES else None
    except json.JSONDecodeError as exc:
        # The cause would carry the whole text along.
        raise JsonBroken(f"the bundle is not JSON: see line {exc.lineno}, column {exc.colno}") from None
    except RecursionError:
        raise JsonBroken("the bundle is nested too deeply to be read") from None


def split_bundle(content: bytes) -> list[bytes | None]:
    """Return the resource of each entry, as its bytes in the bundle; None where an entry has no resource.

    A bundle that stays whole is returned as one record: the list holds the very object `content`.

    Raises:
        InputInvalid: as :func:`bundle_entries`.
    """
    entries = bundle_entries(content)
    return [content] if entries is None else [entry.resource for entry in entries]


def _head(text: str) -> Any:
    scanner, head = _Scanner(text), {}
    for key in scanner.members():
        if key in {"resourceType", "type"}:
            head[key] = scanner.value()
    scanner.end()
    if head.get("resourceType") != "Bundle":
        raise InputInvalid("this is not a FHIR Bundle: `resourceType` must be `Bundle`")
    kind = head.get("type")
    return kind if isinstance(kind, str) else None


def _split(text: str) -> list[Entry]:
    scanner, entries = _Scanner(text), list[Entry]()
    for key in scanner.members():
        if key == "entry":
            for _ in scanner.items():
                entries.append(_entry(scanner))
                if len(entries) > MAX_ENTRIES:
                    raise InputInvalid(f"the bundle has more than {MAX_ENTRIES} entries; send it in parts")
    return entries


def _entry(scanner: _Scanner) -> Entry:
    full_url, resource = None, None
    for key in scanner.members():
        if key == "resource":
            resource = scanner.source()
        elif key == "fullUrl":
            full_url = scanner.value()
    return Entry(full_url=full_url if isinstance(full_url, str) else None, resource=resource)


class _Scanner:
    # Pulls apart objects and arrays of a JSON text; whatever its user does not read is skipped.

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._skip_space()

    def members(self) -> Iterator[str]:
        seen: set[str] = set()
        for _ in self._within("{", "}"):
            if not self._text.startswith('"', self._at):
                raise self._broken()
            key: str = self.value()
            if not self._take(":"):
                raise self._broken()
            if key in seen:
                raise JsonBroken("an object in the bundle has a property more than once")
            seen.add(key)
            start = self._at
            yield key
            self._skip_from(start)

    def items(self) -> Iterator[None]:
        for _ in self._within("[", "]"):
            start = self._at
            yield
            self._skip_from(start)

    def value(self) -> Any:
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        self._skip_space()
        return value

    def source(self) -> bytes:
        start = self._at
        _, end = _DECODER.raw_decode(self._text, start)
        self._at = end
        self._skip_space()
        return self._text[start:end].encode()

    def end(self) -> None:
        if self._at < len(self._text):
            raise self._broken()

    def _skip_from(self, start: int) -> None:
        if self._at == start:
            self.value()

    def _within(self, opening: str, closing: str) -> Iterator[None]:
        if not self._take(opening):
            raise InputInvalid("the bundle is malformed: it must be an object, `entry` an array of objects")
        if self._take(closing):
            return
        while True:
            yield
            if self._take(closing):
                return
            if not self._take(","):
                raise self._broken()

    def _take(self, char: str) -> bool:
        if not self._text.startswith(char, self._at):
            return False
        self._at += 1
        self._skip_space()
        return True

    def _skip_space(self) -> None:
        if (match := _SPACE.match(self._text, self._at)) is not None:
            self._at = match.end()

    def _broken(self) -> json.JSONDecodeError:
        return json.JSONDecodeError("", self._text, self._at)
