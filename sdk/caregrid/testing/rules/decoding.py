"""What a node cannot even decode, because a list, a text or a number is over its bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.calls.params import WRAPPED_KEY_LEN
from caregrid.chain.limits import MAX_BATCH, MAX_EMERGENCY_MEMBERS, MAX_OPERATORS, MAX_PATTERN_LEN
from caregrid.chain.port import FULL_HEALTH
from caregrid.chain.refusals.pool import Undecodable
from caregrid.testing.rules.state import from_hex

if TYPE_CHECKING:
    from collections.abc import Mapping

_LISTS: Final = {
    "operators": MAX_OPERATORS,
    "members": MAX_EMERGENCY_MEMBERS,
    "patients": MAX_BATCH,
    "records": MAX_BATCH,
    "keys": MAX_BATCH,
    "reports": MAX_BATCH,
    "items": MAX_BATCH,
}


def require_decodable(params: Mapping[str, Any]) -> None:
    """Refuse parameters over their bounds.

    Raises:
        Undecodable: as a node's pool does.
    """
    keys = [params.get("key"), *(each["key"] for each in params.get("keys", ()))]
    fit = [
        *(len(params.get(name, ())) <= most for name, most in _LISTS.items()),
        len(from_hex(params.get("pattern", ""))) <= MAX_PATTERN_LEN,
        *(len(_wrapped(key)) <= WRAPPED_KEY_LEN for key in keys),
        *(each.get("health", 0) <= FULL_HEALTH for each in params.get("reports", ())),
    ]
    if not all(fit):
        raise Undecodable


def _wrapped(key: Any) -> bytes:
    match key:
        case {"Inline": {"wrapped": wrapped}}:
            return from_hex(wrapped)
    return b""
