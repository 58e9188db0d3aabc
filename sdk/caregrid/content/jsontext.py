"""JSON read and written again without loss: a number stays the digits that were written, a name its place.

In FHIR a decimal `1.50` states its precision, so numbers are never turned into binary floating point or back.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final, NoReturn

from caregrid.content import sniffing
from caregrid.errors import InputEmpty, InputTooLarge, JsonBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Number(str):
    """A JSON number, as it was written."""

    __slots__ = ()


def text_of(content: bytes) -> str:
    """Return the text of UTF-8 content of bounded size.

    Raises:
        InputEmpty: there is no content.
        InputTooLarge: it is larger than is parsed.
        JsonBroken: it is not UTF-8.
    """
    if not content:
        raise InputEmpty
    if len(content) > sniffing.MAX_TEXT_BYTES:
        raise InputTooLarge(limit=sniffing.MAX_TEXT_BYTES)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # The cause would carry the whole content along.
        raise JsonBroken("the content is not UTF-8") from None


def parse(content: bytes) -> Any:
    """Return the value of a JSON document; numbers are :class:`Number`.

    Raises:
        InputEmpty, InputTooLarge: as :func:`text_of`.
        JsonBroken: it is not JSON, has a property twice in one object, or is nested too deeply.
    """
    try:
        return _DECODER.decode(text_of(content))
    except json.JSONDecodeError as exc:
        raise JsonBroken(f"the content is not JSON: see line {exc.lineno}, column {exc.colno}") from None
    except RecursionError:
        raise JsonBroken("the content is nested too deeply to be read") from None


def write(value: Any, *, in_order: Callable[[dict[str, Any]], Iterator[str]] = iter) -> bytes:
    """Return the JSON text of a value, without white space.

    Args:
        value: as :func:`parse` returns it; integers and true decimals are none of it.
        in_order: gives the names of an object in the order in which they are written.

    Raises:
        JsonBroken: a string has half of a surrogate pair, or the value is nested too deeply.
    """
    parts: list[str] = []
    try:
        _write(value, parts.append, in_order)
        return "".join(parts).encode()
    except UnicodeEncodeError:
        raise JsonBroken("a string has half of a surrogate pair, which is no character") from None
    except RecursionError:
        raise JsonBroken("the content is nested too deeply to be written") from None


def _write(
    value: Any, put: Callable[[str], None], in_order: Callable[[dict[str, Any]], Iterator[str]]
) -> None:
    if isinstance(value, str):
        put(value if isinstance(value, Number) else encode_basestring(value))
    elif isinstance(value, dict):
        before = "{"
        for name in in_order(value):
            put(f"{before}{encode_basestring(name)}:")
            _write(value[name], put, in_order)
            before = ","
        put("}" if value else "{}")
    elif isinstance(value, list):
        before = "["
        for item in value:
            put(before)
            _write(item, put, in_order)
            before = ","
        put("]" if value else "[]")
    elif value is None or isinstance(value, bool):
        put(_CONSTANTS[value])
    else:
        raise TypeError("a number is written as `Number`, with its digits")


_CONSTANTS: Final = {None: "null", True: "true", False: "false"}


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise JsonBroken("an object has a property more than once")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise JsonBroken("NaN and Infinity are no JSON numbers")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=Number, parse_float=Number, parse_constant=_no_constant
)
