"""What recipients are told.

A notice holds ids, block numbers and codes: never content, a name, or a reason for treatment.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from caregrid.records import ACCOUNT_LEN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

KEY_LEN: Final = 32

#: A message that names several notices stays below what every channel takes.
MAX_FACTS: Final = 12


class NoticeKind(StrEnum):
    """What can have happened."""

    ACCESS_REQUESTED = "access_requested"
    ACCESS_GRANTED = "access_granted"
    ACCESS_DENIED = "access_denied"
    ACCESS_REVOKED = "access_revoked"
    ACCESS_EXPIRING = "access_expiring"
    ACCESS_EXPIRED = "access_expired"
    EMERGENCY_ACCESS = "emergency_access"
    KEY_RELEASED = "key_released"
    RECORD_FAILED = "record_failed"
    STORAGE_TROUBLE = "storage_trouble"


#: Always delivered, at once, whatever the recipient chose.
URGENT: Final = frozenset({NoticeKind.EMERGENCY_ACCESS})

#: Told only over channels that name them, and only to who has such a channel: they are many.
OPT_IN: Final = frozenset({NoticeKind.KEY_RELEASED})
BY_DEFAULT: Final = frozenset(NoticeKind) - OPT_IN

_ID_16: Final = re.compile(r"[0-9a-f]{32}")
_ID_32: Final = re.compile(r"[0-9a-f]{64}")
_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,80}")

#: Every fact that a notice may hold, and how it is spelled. What has no line here cannot leave by a notice;
#: the purpose of an access and the reason of an emergency say something of the patient and have none.
FACTS: Final[Mapping[str, re.Pattern[str] | type[int]]] = {
    "record": _ID_16,
    "patient": _ID_32,
    "object": _ID_32,
    "submission": _ID_16,
    "pack": _ID_16,
    "grantee": _ID_32,
    "requester": _ID_32,
    "member": _ID_32,
    "custodian": _ID_32,
    "controller": _ID_32,
    "block": int,
    "expires_at": int,  #: a block number
    "challenged_at": int,  #: a block number
    "failed_at": int,  #: milliseconds since 1970
    "released_at": int,  #: milliseconds since 1970
    "records": int,
    "objects": int,
    "health": int,  #: in parts of a million
    "replicas": int,
    "nodes": int,
    "code": _CODE,
    "outcome": _CODE,
    "worker": _CODE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One thing that one recipient is told."""

    key: bytes  #: SHA-256 of kind and facts: a recipient is told the same only once
    kind: NoticeKind
    recipient: bytes  #: a 32-byte account
    facts: Mapping[str, str | int]  #: of :data:`FACTS`; ids and accounts in hex
    at: datetime

    def __post_init__(self) -> None:
        if len(self.key) != KEY_LEN or len(self.recipient) != ACCOUNT_LEN:
            raise ValueError("a key and an account have 32 bytes")
        if self.at.tzinfo is None:
            raise ValueError("a time needs its zone")
        if len(self.facts) > MAX_FACTS:
            raise ValueError(f"a notice has at most {MAX_FACTS} facts")
        for name, value in self.facts.items():
            _require_shape(name, value)


def notice(kind: NoticeKind, recipient: bytes, at: datetime, **facts: str | int) -> Notice:
    """Return a notice with its key.

    Raises:
        ValueError: a fact is none of :data:`FACTS`, or spelled otherwise; its value is not in the message.
    """
    for name, value in facts.items():
        _require_shape(name, value)
    spelled = json.dumps([kind, facts], sort_keys=True, separators=(",", ":"))
    key = hashlib.sha256(spelled.encode()).digest()
    return Notice(key=key, kind=kind, recipient=recipient, facts=facts, at=at)


def code_of(reason: str) -> str:
    """Return a reason if it is spelled as a code, else that it is none."""
    return reason if _CODE.fullmatch(reason) else "UNNAMED"


def _require_shape(name: str, value: str | int) -> None:
    shape = FACTS.get(name)
    if shape is None:
        raise ValueError("a notice names a fact that is not listed")
    if isinstance(shape, re.Pattern):
        fits = isinstance(value, str) and shape.fullmatch(value) is not None
    else:
        fits = type(value) is int
    if not fits:
        raise ValueError(f"the fact {name} of a notice is not spelled as listed")
