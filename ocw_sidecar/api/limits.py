"""How much one caller may ask for, and how much may arrive at once."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from caregrid.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocw_sidecar.api.callers import Caller
    from ocw_sidecar.settings.api import ApiSettings

#: An IPv6 customer owns at least so much of an address.
IPV6_PREFIX: Final = 64

#: When a place for an upload is likely to be free again.
UPLOAD_RETRY_AFTER_S: Final = 1

_GUESTS: Final = "guests"


class Limits:
    """Counts in this process; several processes behind one address allow so much each."""

    def __init__(self, settings: ApiSettings) -> None:
        storage = MemoryStorage()
        self._many = SlidingWindowCounterRateLimiter(storage)  # constant memory, however high the rate
        self._few = MovingWindowRateLimiter(storage)  # exact
        self._requests = RateLimitItemPerMinute(settings.request_rate, namespace="requests")
        self._keys = RateLimitItemPerMinute(settings.key_release_rate, namespace="keys")
        self._guests = RateLimitItemPerMinute(settings.guest_rate, namespace="guests")
        self._failures = RateLimitItemPerMinute(settings.failure_rate, namespace="failures")
        self._uploads, self._per_caller = settings.uploads, settings.uploads_per_caller
        self._arriving: Counter[bytes] = Counter()

    async def request(self, caller: Caller, *, count: int = 1) -> None:
        """Count a request, or several at once.

        Raises:
            RateLimited: the caller made too many.
        """
        await self._hit(self._many, self._requests, caller.id.hex(), count)

    async def key_release(self, caller: Caller) -> None:
        """Count a request for a data key; raises as `request`."""
        await self._hit(self._many, self._keys, caller.id.hex())

    async def guest(self) -> None:
        """Count a signed request of an account that is no operator's; raises as `request`."""
        await self._hit(self._many, self._guests, _GUESTS)

    async def failure(self, address: str | None) -> None:
        """Count a refused log-in."""
        await self._few.hit(self._failures, _group(address))

    async def require_trust(self, address: str | None) -> None:
        """Refuse to look at what an address says of itself after too many refused log-ins.

        Raises:
            RateLimited: there were too many.
        """
        if not await self._few.test(self._failures, _group(address)):
            raise await _limited(self._few, self._failures, _group(address))

    @contextmanager
    def upload(self, caller: Caller) -> Iterator[None]:
        """Hold a place for content that arrives.

        Raises:
            RateLimited: too much arrives already.
        """
        if self._arriving[caller.id] >= self._per_caller or self._arriving.total() >= self._uploads:
            raise RateLimited(
                "too many uploads at once; send fewer side by side", retry_after_s=UPLOAD_RETRY_AFTER_S
            )
        self._arriving[caller.id] += 1
        try:
            yield
        finally:
            self._arriving[caller.id] -= 1
            if not self._arriving[caller.id]:
                del self._arriving[caller.id]

    @staticmethod
    async def _hit(
        limiter: SlidingWindowCounterRateLimiter, item: RateLimitItemPerMinute, who: str, count: int = 1
    ) -> None:
        if not await limiter.hit(item, who, cost=count):
            raise await _limited(limiter, item, who)


async def _limited(
    limiter: SlidingWindowCounterRateLimiter | MovingWindowRateLimiter, item: RateLimitItemPerMinute, who: str
) -> RateLimited:
    window = await limiter.get_window_stats(item, who)
    return RateLimited(retry_after_s=max(1, math.ceil(window.reset_time - time.time())))


def _group(address: str | None) -> str:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if parsed.version == 4:  # noqa: PLR2004 - the protocol's version
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
