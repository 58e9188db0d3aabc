"""DeOSS's answers: `{"code", "msg", "data"}`, here with the code as HTTP status, too."""

from __future__ import annotations

import errno
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from caregrid.errors import (
    Conflict,
    DiskLow,
    FragmentsMissing,
    InputInvalid,
    ObjectUnknown,
    RateLimited,
    StorageUnreachable,
    TerritoryUnusable,
    Unauthorised,
)
from storage_network.gateway.database import NO_SPACE

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

_OK: Final = 200
_TOO_MANY: Final = 429
_log = logging.getLogger(__name__)


class GatewayError(Exception):
    """The request is answered with an error envelope."""

    def __init__(self, code: int, msg: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(msg)
        self.code, self.msg, self.data = code, msg, data


def success(data: dict[str, Any] | list[dict[str, Any]] | None) -> web.Response:
    """Return a successful envelope."""
    return _envelope(_OK, "ok", data)


@web.middleware
async def errors_as_envelopes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into an envelope; what was not foreseen shows only its type, in the log."""
    try:
        return await handler(request)
    except RateLimited as exc:
        return _busy(exc.retry_after_s, str(exc))
    except GatewayError as exc:
        return _envelope(exc.code, exc.msg, exc.data)
    except web.HTTPException as exc:
        return _envelope(exc.status, exc.reason, None)
    except ConnectionError:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, the client gets an envelope
        failure = _as_gateway_error(exc)
        return _envelope(failure.code, failure.msg, failure.data)


def _as_gateway_error(exc: Exception) -> GatewayError:
    for kind, code in _CODES.items():
        if isinstance(exc, kind):
            return GatewayError(code, str(exc))
    if isinstance(exc, OSError) and exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return GatewayError(507, NO_SPACE)
    _log.error("request_failed error=%s", type(exc).__name__)
    return GatewayError(500, "system error")


def _busy(retry_after_s: int, msg: str) -> web.Response:
    body = {"code": 403, "msg": msg, "data": None}
    return web.json_response(
        body, status=_TOO_MANY, dumps=_compact, headers={"Retry-After": str(retry_after_s)}
    )


def _envelope(code: int, msg: str, data: dict[str, Any] | list[dict[str, Any]] | None) -> web.Response:
    body = {"code": code, "msg": msg, "data": data}
    return web.json_response(body, status=code, dumps=_compact)


def _compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))


_CODES: Final[dict[type[Exception], int]] = {
    Unauthorised: 403,
    ObjectUnknown: 404,
    Conflict: 409,
    InputInvalid: 400,
    TerritoryUnusable: 400,
    DiskLow: 507,
    FragmentsMissing: 502,
    StorageUnreachable: 503,
}
