"""JSON read strictly: UTF-8 only, no NaN, bounded numbers; repeated property names are kept visible."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final, NoReturn

from caregrid.fhir import rules

#: Parsed JSON takes about ten times its size in memory; larger records are kept as BINARY.
MAX_JSON_BYTES: Final = 64 * 1024 * 1024

#: Far beyond any measured value; converting millions of digits would cost seconds.
MAX_NUMBER_CHARS: Final = 1000

#: FHIR's own examples stay below 20; past this Python's recursion limit comes near.
MAX_DEPTH: Final = 64


class RefusedError(Exception):
    """The content is not JSON that we read; the issue says why."""

    def __init__(self, issue: rules.Issue) -> None:
        super().__init__(issue.rule.text)
        self.issue = issue


class RepeatedKeys(dict[str, Any]):
    """A JSON object that had a property more than once; the last value is kept."""


def decode(content: bytes) -> str:
    """Return the text of UTF-8 content of bounded size.

    Raises:
        RefusedError: empty, too large, or not UTF-8.
    """
    if not content:
        raise RefusedError(rules.Issue(rules.EMPTY))
    if len(content) > MAX_JSON_BYTES:
        raise RefusedError(rules.Issue(rules.TOO_LARGE, numbers=(MAX_JSON_BYTES,)))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as exc:
        # The cause would carry the whole content along.
        raise RefusedError(rules.Issue(rules.NOT_UTF8, numbers=(exc.start,))) from None


def parse(content: bytes) -> Any:
    """Return the value of a JSON document: decimals as Decimal, and repeated names as RepeatedKeys.

    Raises:
        RefusedError: not JSON within our bounds.
    """
    text = decode(content)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        raise RefusedError(rules.Issue(rules.NOT_JSON, numbers=(exc.lineno, exc.colno))) from None
    except RecursionError:
        raise RefusedError(rules.Issue(rules.TOO_DEEP, numbers=(MAX_DEPTH,))) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else RepeatedKeys(members)


def _integer(literal: str) -> int:
    return int(_bounded(literal))


def _decimal(literal: str) -> Decimal:
    return Decimal(_bounded(literal))


def _bounded(literal: str) -> str:
    if len(literal) > MAX_NUMBER_CHARS:
        raise RefusedError(rules.Issue(rules.LONG_NUMBER, numbers=(MAX_NUMBER_CHARS,)))
    return literal


def _no_constant(_name: str) -> NoReturn:
    raise RefusedError(rules.Issue(rules.NOT_A_NUMBER))


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_no_constant
)
