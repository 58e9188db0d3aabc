"""Bearer tokens at the door: looked up in the database, remembered for some seconds."""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import UTC
from typing import TYPE_CHECKING, Final

from caregrid.errors import Unauthorised
from ocw_sidecar.callers.tokens import token_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ocw_sidecar.api.limits import Limits
    from ocw_sidecar.callers.items import Caller, Token
    from ocw_sidecar.callers.port import Callers

#: A revoked token is refused at the latest so long after, in every process.
TOKEN_TTL_S: Final = 5.0

#: Tokens that are remembered; the one used longest ago goes first.
MAX_REMEMBERED: Final = 1024

_ADVICE: Final = "pass a good token as `Authorization: Bearer TOKEN`; `caregrid sidecar token` makes them"


class Bearers:
    """Who bears which token."""

    def __init__(self, callers: Callers, limits: Limits, now: Callable[[], datetime]) -> None:
        self._callers, self._limits, self._now = callers, limits, now
        self._known: OrderedDict[bytes, tuple[float, Token]] = OrderedDict()

    async def caller(self, authorization: str, address: str | None) -> Caller:
        """Return who bears the token of an `Authorization` header.

        Raises:
            Unauthorised: there is no good token in it.
            RateLimited: the address tried too many wrong ones.
        """
        scheme, _, token = authorization.partition(" ")
        digest = token_digest(token.strip())
        found = await self._find(digest, address) if scheme.lower() == "bearer" else None
        if found is None or not found.is_good(self._now()):
            await self._limits.failure(address)
            raise Unauthorised(_ADVICE)
        return found.caller()

    async def _find(self, digest: bytes, address: str | None) -> Token | None:
        looked_at, token = self._known.get(digest, (0.0, None))
        if token is None:
            await self._limits.require_trust(address)
        elif time.monotonic() - looked_at < TOKEN_TTL_S:
            return token
        return await self._look(digest)

    async def _look(self, digest: bytes) -> Token | None:
        began = time.monotonic()
        token = await self._callers.token(digest)
        if token is None or not token.is_good(self._now()):
            self._known.pop(digest, None)
            return token
        self._known[digest] = (began, token)
        self._known.move_to_end(digest)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        await self._note_use(token)
        return token

    async def _note_use(self, token: Token) -> None:
        day = self._now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if token.used_on is None or token.used_on < day:
            await self._callers.note_use(token.token_id, day=day)
