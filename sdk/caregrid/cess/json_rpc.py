"""JSON-RPC as Substrate nodes speak it: pure functions from and to text."""

from __future__ import annotations

import binascii
import json
import re
from typing import TYPE_CHECKING, Any, Final

from caregrid.cess.faults import Refused
from caregrid.chain.faults import AnswerGarbled

if TYPE_CHECKING:
    from collections.abc import Sequence

_HASH_LEN: Final = 32
_NUMBER: Final = re.compile("0x[0-9a-f]{1,8}")


def request(number: int, method: str, params: Sequence[Any]) -> str:
    """Return a question."""
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)})


def answer(text: str | bytes) -> dict[str, Any]:
    """Return what may be an answer, or a notification.

    Raises:
        AnswerGarbled: it is no JSON object.
    """
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise AnswerGarbled from exc
    if not isinstance(parsed, dict):
        raise AnswerGarbled
    return parsed


def result(given: dict[str, Any]) -> Any:
    """Return what an answer holds.

    Raises:
        Refused: an error. The node's own words are dropped: they could be anything.
        AnswerGarbled: neither a result nor an error.
    """
    if given.get("error") is not None:
        raise Refused
    if "result" not in given:
        raise AnswerGarbled
    return given["result"]


def to_hex(data: bytes) -> str:
    """Return bytes as nodes write them."""
    return "0x" + data.hex()


def from_hex(text: Any) -> bytes:
    """Return bytes that a node has written.

    Raises:
        AnswerGarbled: it is no hexadecimal text.
    """
    if not isinstance(text, str) or not text.startswith("0x"):
        raise AnswerGarbled
    try:
        return binascii.unhexlify(text[2:])
    except ValueError as exc:
        raise AnswerGarbled from exc


def block_hash(text: Any) -> bytes:
    """Return a block's hash that a node has written.

    Raises:
        AnswerGarbled: it is none.
    """
    data = from_hex(text)
    if len(data) != _HASH_LEN:
        raise AnswerGarbled
    return data


def block_number(header: Any) -> int:
    """Return a block's number from its header.

    Raises:
        AnswerGarbled: it has none, or one that does not fit.
    """
    text = header.get("number") if isinstance(header, dict) else None
    if not isinstance(text, str) or _NUMBER.fullmatch(text) is None:
        raise AnswerGarbled
    return int(text, 16)
