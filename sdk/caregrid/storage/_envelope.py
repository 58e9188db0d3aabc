from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import (
    CaregridError,
    FragmentsMissing,
    InputInvalid,
    InputTooLarge,
    ObjectUnknown,
    ProtocolViolation,
    StorageUnreachable,
    Unauthorised,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Envelopes are a few hundred bytes; owners of a file make them longer.
MAX_ENVELOPE_SIZE: Final = 1024 * 1024
_MAX_TEXT: Final = 200

# Stock DeOSS gives code 403 to these passing faults, too; only the text tells them from a refusal.
_BUSY_TEXTS: Final = frozenset(
    {
        "server busy",
        "Failed to connect to rpc, please try again later.",
        "Syncing the latest blocks",
    }
)
# Likewise: stock DeOSS answers some look-ups of an unknown file with 400 or 403.
_UNKNOWN_TEXTS: Final = frozenset(
    {
        "file not found",
        (
            "The file has not been uploaded to the chain yet, "
            "please go to the gateway where the file was uploaded to query."
        ),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    code: int
    msg: str
    data: Any


def parse(body: bytes) -> Envelope | None:
    """Return the envelope that a body holds, or None when it holds something else."""
    try:
        document = json.loads(body)
        return Envelope(code=int(document["code"]), msg=str(document["msg"]), data=document["data"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def error_of(status: int, envelope: Envelope | None) -> CaregridError:
    """Return the error that a failed answer of a gateway stands for."""
    if envelope is None:
        return _error_of_bare(status)
    if envelope.msg in _BUSY_TEXTS:
        return StorageUnreachable(f"the storage gateway is not ready: {envelope.msg}")
    if envelope.msg in _UNKNOWN_TEXTS:
        return ObjectUnknown()
    if envelope.code in _ERRORS:
        return _ERRORS[envelope.code](envelope)
    return _error_of_bare(envelope.code)


def _error_of_bare(status: int) -> CaregridError:
    if status >= 500:  # noqa: PLR2004 - HTTP's own classes of status codes
        return StorageUnreachable(f"the storage gateway failed with status {status}; try again later")
    return ProtocolViolation(f"the storage gateway answered with status {status}; check its URL")


def _text(envelope: Envelope) -> str:
    return "".join(filter(str.isprintable, envelope.msg))[:_MAX_TEXT]


def _refused(envelope: Envelope) -> CaregridError:
    return InputInvalid(f"the storage gateway refused the request: {_text(envelope)}")


def _unauthorised(envelope: Envelope) -> CaregridError:
    return Unauthorised(f"the storage gateway refused the account: {_text(envelope)}")


def _too_large(envelope: Envelope) -> CaregridError:
    limit = envelope.data.get("limit") if isinstance(envelope.data, dict) else None
    return InputTooLarge(limit=limit) if isinstance(limit, int) else _refused(envelope)


_ERRORS: Final[Mapping[int, Callable[[Envelope], CaregridError]]] = {
    400: _refused,
    401: _unauthorised,
    403: _unauthorised,
    404: lambda _: ObjectUnknown(),
    409: _refused,
    413: _too_large,
    416: _refused,
    502: lambda _: FragmentsMissing(),
}
