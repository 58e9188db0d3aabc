"""How many requests one account, or one address, may make."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from caregrid.errors import RateLimited

if TYPE_CHECKING:
    from storage_network.gateway.settings import GatewaySettings

_BUSY = "server busy"


class Limits:
    """Counts in this process."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._account = RateLimitItemPerMinute(settings.account_rate, namespace="account")
        self._address = RateLimitItemPerMinute(settings.address_rate, namespace="address")

    async def account(self, account: bytes) -> None:
        """Count a signed request.

        Raises:
            RateLimited: the account makes too many.
        """
        await self._hit(self._account, account.hex())

    async def address(self, address: str | None) -> None:
        """Count a request, signed or not; raises as `account`."""
        await self._hit(self._address, address or "unknown")

    async def _hit(self, item: RateLimitItemPerMinute, who: str) -> None:
        if not await self._limiter.hit(item, who):
            window = await self._limiter.get_window_stats(item, who)
            raise RateLimited(_BUSY, retry_after_s=max(1, math.ceil(window.reset_time - time.time())))
