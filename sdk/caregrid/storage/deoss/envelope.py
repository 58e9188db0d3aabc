"""DeOSS's answers: `{"code", "msg", "data"}`, and the errors they stand for."""

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
    RateLimited,
    StorageUnreachable,
    TerritoryUnusable,
    Unauthorised,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Envelopes are a few hundred bytes; owners of a file make them longer.
MAX_ENVELOPE_SIZE: Final = 1024 * 1024

_MAX_TEXT: Final = 200
# Stock DeOSS sends two documents back to back now and then: the error itself and its envelope, or the
# envelope of a check that failed and that of what it did all the same.
_MAX_DOCUMENTS: Final = 3
_MAX_RETRY_AFTER_S: Final = 3600
_TOO_MANY_REQUESTS: Final = 429
_NO_SUCH_ROUTE: Final = frozenset({404, 405})
_REFUSALS: Final = frozenset({401, 403})

# Stock DeOSS gives code 400, 403 or 500 to all of these; only the text tells them apart.
_BUSY: Final = "server busy"
_PASSING_TEXTS: Final = frozenset(
    {
        "Failed to connect to rpc, please try again later.",
        "Syncing the latest blocks",
        # What a gateway says when the body of an upload broke off or its chunk does not fit.
        "Failed to receive data",
        "Illegal Content-Range content",
        "network error",
        "received less file content",
        "received more file content",
    }
)
_UNKNOWN_TEXTS: Final = frozenset(
    {
        "file not found",
        (
            "The file has not been uploaded to the chain yet, "
            "please go to the gateway where the file was uploaded to query."
        ),
    }
)
_TERRITORY_CURES: Final[Mapping[str, str]] = {
    "please purchase territory first": "there is no storage territory of this name; buy it",
    "territory will expire soon": "the storage territory's time is over; renew it",
    "insufficient territory space": "the storage territory is full; expand it, or delete objects",
    "remaining space in the territory": "the storage territory is full; expand it, or delete objects",
}


class RouteMissing(ProtocolViolation):
    """The storage gateway does not offer what was asked; check its URL and version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """What a gateway answered."""

    code: int
    msg: str
    data: Any


def parse(body: bytes) -> Envelope | None:
    """Return the envelope that a body holds, the last of several, or None when it holds something else."""
    try:
        documents = [*_documents(body.decode())]
        last = documents[-1]
        return Envelope(code=int(last["code"]), msg=_message(documents), data=last["data"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def error_of(status: int, envelope: Envelope | None, retry_after: str | None = None) -> CaregridError:
    """Return the error that a failed answer of a gateway stands for."""
    if status == _TOO_MANY_REQUESTS or (envelope is not None and envelope.msg == _BUSY):
        return _busy(retry_after)
    if envelope is None:
        return _error_of_bare(status)
    return _error_of_text(envelope.msg) or _error_of_code(envelope)


def _documents(text: str) -> Iterator[Any]:
    decoder, place = json.JSONDecoder(), 0
    for _ in range(_MAX_DOCUMENTS):
        document, place = decoder.raw_decode(text, place)
        yield document
        text, place = text[place:].strip(), 0
        if not text:
            return
    raise ValueError("more documents than any gateway sends")


def _message(documents: list[Any]) -> str:
    message = str(documents[-1]["msg"])
    # The text in front says more than the "system error" that stock DeOSS puts in the envelope then.
    causes = [each for each in documents[:-1] if isinstance(each, str)]
    return causes[0] if causes and message == "system error" else message


def _busy(retry_after: str | None) -> CaregridError:
    told = int(retry_after) if retry_after is not None and retry_after.isdecimal() else 1
    wait_s = max(1, min(told, _MAX_RETRY_AFTER_S))
    return RateLimited(f"the storage gateway is busy; ask again in {wait_s} s", retry_after_s=wait_s)


def _error_of_text(text: str) -> CaregridError | None:
    if text in _PASSING_TEXTS:
        return StorageUnreachable(f"the storage gateway is not ready: {text}")
    if text in _UNKNOWN_TEXTS:
        return ObjectUnknown()
    cures = [cure for start, cure in _TERRITORY_CURES.items() if text.startswith(start)]
    return TerritoryUnusable(cures[0]) if cures else None


def _error_of_code(envelope: Envelope) -> CaregridError:
    make = _ERRORS.get(envelope.code)
    return make(envelope) if make is not None else _error_of_bare(envelope.code)


def _error_of_bare(status: int) -> CaregridError:
    if status >= 500:  # noqa: PLR2004 - HTTP's own classes of status codes
        return StorageUnreachable(f"the storage gateway failed with status {status}; try again later")
    if status in _NO_SUCH_ROUTE:
        return RouteMissing()
    if status in _REFUSALS:
        return Unauthorised("the storage gateway refused the account; check it, and the gateway's URL")
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
