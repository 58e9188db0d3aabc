"""Who makes a request: the bearer of a token, or the account that signed it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from aiohttp import web

from caregrid.errors import ClockSkewed, RequestReplayed, Unauthorised
from caregrid.signing import COVERED_HEADERS, Message, nonce_digest, verify_request
from ocw_sidecar.api.callers import ALL_SCOPES, CALLER, Caller, Scope

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from caregrid.signing import Signed
    from ocw_sidecar.api.bearers import Bearers
    from ocw_sidecar.api.limits import Limits
    from ocw_sidecar.api.operators import Operators
    from ocw_sidecar.callers.port import Callers
    from ocw_sidecar.pipeline.bench import Bench

#: Everything below needs a caller.
PROTECTED: Final = "/v1/"

#: What an account may do that is no operator's: have keys for what was granted to it, and follow its notices.
GUEST_SCOPES: Final = frozenset({Scope.RELEASE_KEYS, Scope.AUDIT, Scope.FEED})

#: A request is good for one tolerance after it was signed; the rest is for processes whose clocks differ.
REMEMBERED_TOLERANCES: Final = 3

_ADVICE: Final = (
    "pass a token as `Authorization: Bearer TOKEN`, or sign the request; see docs/reference/api.md"
)


class Signatures:
    """Requests signed by an account."""

    def __init__(self, bench: Bench, callers: Callers, limits: Limits, operators: Operators) -> None:
        self._settings, self._now = bench.settings.api, bench.ports.now
        self._callers, self._limits, self._operators = callers, limits, operators

    async def caller(self, request: web.Request) -> Caller:
        """Return who signed a request, the first time it is seen.

        Raises:
            Unauthorised: the signature is not good, or is for another place.
            ClockSkewed, RequestReplayed: as they say.
            RateLimited: the address sent too many bad ones, or too many guests come at once.
            ChainUnreachable: it cannot be told whether the account is an operator's.
        """
        await self._limits.require_trust(request.remote)
        try:
            signed = self._verified(request)
        except Unauthorised:
            await self._limits.failure(request.remote)
            raise
        operates = await self._operators.include(signed.account)
        if not operates:
            await self._limits.guest()
        await self._require_fresh(signed)
        return Caller(
            id=hashlib.sha256(b"caregrid/account/v1" + signed.account).digest(),
            account=signed.account,
            scopes=ALL_SCOPES if operates else GUEST_SCOPES,
        )

    def _verified(self, request: web.Request) -> Signed:
        self._require_here(request)
        message = _message(request)
        if request.body_exists and "content-digest" not in message.headers:
            raise Unauthorised("a signed request with content needs a Content-Digest")
        headers = request.headers
        signed = verify_request(message, headers["Signature-Input"], headers.get("Signature", ""))
        age_s = self._now().timestamp() - signed.created
        if abs(age_s) > self._settings.clock_tolerance_s:
            raise ClockSkewed
        return signed

    def _require_here(self, request: web.Request) -> None:
        if request.host.lower() not in (self._settings.authorities or _listening_at(request)):
            raise Unauthorised(
                "the request is addressed to another name; the operator sets ours in api.authorities"
            )

    async def _require_fresh(self, signed: Signed) -> None:
        created = datetime.fromtimestamp(signed.created, UTC)
        until = created + REMEMBERED_TOLERANCES * timedelta(seconds=self._settings.clock_tolerance_s)
        if not await self._callers.remember(nonce_digest(signed), now=self._now(), until=until):
            raise RequestReplayed


def authentication(bearers: Bearers, signatures: Signatures) -> Middleware:
    """Return what stands in front of every handler below `/v1/`."""

    @web.middleware
    async def require_caller(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(PROTECTED):
            request[CALLER] = await _caller(request, bearers, signatures)
        return await handler(request)

    return require_caller


async def _caller(request: web.Request, bearers: Bearers, signatures: Signatures) -> Caller:
    authorization = request.headers.get("Authorization")
    if "Signature-Input" in request.headers:
        if authorization is not None:
            raise Unauthorised("pass a token or sign the request, not both")
        return await signatures.caller(request)
    if authorization is None:
        raise Unauthorised(_ADVICE)
    return await bearers.caller(authorization, request.remote)


def _message(request: web.Request) -> Message:
    path, _, query = request.raw_path.partition("?")
    headers = {
        name: ", ".join(request.headers.getall(name)) for name in COVERED_HEADERS if name in request.headers
    }
    return Message(method=request.method, authority=request.host, path=path, query=query, headers=headers)


def _listening_at(request: web.Request) -> frozenset[str]:
    transport = request.transport
    sockname = None if transport is None else transport.get_extra_info("sockname")
    if sockname is None:
        return frozenset()
    host, port = sockname[:2]
    shown = f"[{host}]" if ":" in host else host
    return frozenset({f"{shown}:{port}", f"localhost:{port}"})
