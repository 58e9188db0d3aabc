"""Lines of a batch: cut out of a stream in bounded memory, and read without touching the resource's bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from caregrid.errors import InputInvalid, InputTooLarge, JsonBroken
from ocw_sidecar.api.models import BatchLine
from ocw_sidecar.api.requests import from_hex

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Yielded in place of a line that is longer than allowed.
TOO_LONG: Final = None

_FORM: Final = (
    "a line holds `patient` (64 hex digits), `resource` (an object) and, if wanted, `key`; nothing else"
)
_BLANKS: Final = " \t\r\n"
_decode: Final = json.JSONDecoder().raw_decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What one line asks for."""

    patient_id: bytes
    resource: bytes  #: as it stands in the line
    key: str | None


async def lines(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[list[bytes | None]]:
    """Yield the lines that each chunk completes, without their ends.

    For one that is too long it is `TOO_LONG`, and its bytes are dropped.
    """
    held, dropping = bytearray(), False
    async for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        found: list[bytes | None] = []
        for end in ends:
            found.append(TOO_LONG if dropping or len(held) + len(end) > limit else bytes(held) + end)
            held, dropping = bytearray(), False
        dropping = dropping or len(held) + len(rest) > limit
        held = bytearray() if dropping else held + rest
        yield found
    if dropping or held:
        yield [TOO_LONG if dropping else bytes(held)]


def read_line(text: bytes | None, limit: int) -> Line:
    """Return what a line asks for.

    Raises:
        InputTooLarge: it is too long.
        JsonBroken: it is no JSON object.
        InputInvalid: a field is missing, not as described, or not known.
    """
    if text is TOO_LONG:
        raise InputTooLarge(
            f"a line is longer than {limit} bytes; submit its resource by itself", limit=limit
        )
    try:
        members = _members(text.decode())
    except (ValueError, RecursionError, IndexError):
        raise JsonBroken("a line is not a JSON object in UTF-8") from None
    resource = members.get("resource", "")
    try:
        plain = {name: json.loads(raw) for name, raw in members.items() if name != "resource"}
        checked = BatchLine.model_validate({**plain, "resource": {}} if resource.startswith("{") else plain)
    except (ValidationError, ValueError, RecursionError):
        raise InputInvalid(_FORM) from None
    return Line(patient_id=from_hex(checked.patient), resource=resource.encode(), key=checked.key)


def _members(text: str) -> dict[str, str]:
    """Return the members of an object, each value as it is written."""
    found: dict[str, str] = {}
    at = _expect(text, _skip(text, 0), "{")
    at = _skip(text, at)
    while text[at] != "}":
        name, at = _name(text, at)
        at = _skip(text, _expect(text, _skip(text, at), ":"))
        _, end = _decode(text, at)
        if name in found:
            raise ValueError("a name stands twice")
        found[name] = text[at:end]
        at = _skip(text, end)
        if text[at] != "}":
            at = _skip(text, _expect(text, at, ","))
            if text[at] == "}":
                raise ValueError("a comma too many")
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows the object")
    return found


def _name(text: str, at: int) -> tuple[str, int]:
    _expect(text, at, '"')
    name, end = _decode(text, at)
    return str(name), end


def _expect(text: str, at: int, character: str) -> int:
    if text[at] != character:
        raise ValueError("not an object")
    return at + 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at
