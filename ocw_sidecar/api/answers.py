"""Every error as JSON `{"code", "message"}` with a fitting status; nothing unexpected shows its text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web

from caregrid.errors import (
    AccessRefused,
    CaregridError,
    Conflict,
    ContentStalled,
    DiskLow,
    InputInvalid,
    InputTooLarge,
    MediaTypeUnsupported,
    NotFound,
    RateLimited,
    RecordErased,
    Recoverable,
    Unauthorised,
    ValidationFailed,
)
from ocw_sidecar.pipeline.faults import place_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

#: The first class that fits decides.
STATUSES: Final[tuple[tuple[type[CaregridError], int], ...]] = (
    (InputTooLarge, 413),
    (MediaTypeUnsupported, 415),
    (ValidationFailed, 422),
    (Conflict, 409),
    (InputInvalid, 400),
    (RecordErased, 410),
    (NotFound, 404),
    (Unauthorised, 401),
    (AccessRefused, 403),
    (DiskLow, 507),
    (RateLimited, 429),
    (ContentStalled, 408),
    (Recoverable, 503),
    (CaregridError, 500),
)

#: A full queue moves on with the next finalized block.
RETRY_AFTER_S: Final = 5

log = structlog.get_logger()


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error in one form."""
    try:
        return await handler(request)
    except CaregridError as exc:
        return error_answer(exc)
    except web.HTTPException as exc:
        answer = _answer(exc.status, f"HTTP_{exc.status}", exc.reason)
        if "Allow" in exc.headers:
            answer.headers["Allow"] = exc.headers["Allow"]
        return answer
    except ConnectionError:
        raise
    except Exception as exc:  # noqa: BLE001 - the text of a bug may quote content, so it goes nowhere
        return error_answer(fault_error(exc))


def error_answer(error: CaregridError) -> web.Response:
    """Return the answer for an error."""
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    answer = _answer(status, error.code, str(error), outcome=_outcome_of(error))
    if isinstance(error, Recoverable):
        wait_s = error.retry_after_s if isinstance(error, RateLimited) else RETRY_AFTER_S
        answer.headers["Retry-After"] = str(wait_s)
    if isinstance(error, Unauthorised):
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def fault_error(fault: Exception) -> CaregridError:
    """Log a bug's place and return what a caller may know of it."""
    log.error("request_failed", fault=type(fault).__name__, place=place_of(fault))
    return CaregridError("the sidecar met a fault of its own; its log says where")


def _outcome_of(error: CaregridError) -> Mapping[str, Any] | None:
    return error.outcome if isinstance(error, ValidationFailed) else None


def _answer(status: int, code: str, message: str, outcome: Mapping[str, Any] | None = None) -> web.Response:
    why = {} if outcome is None else {"outcome": outcome}
    return web.json_response({"code": code, "message": message, **why}, status=status)
