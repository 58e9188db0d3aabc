from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from caregrid.errors import CaregridError, RateLimited

if TYPE_CHECKING:
    from caregrid.storage.transfers import TransferPolicy


class Patience:
    """Counts failures in a row and waits after each, until the policy gives up."""

    def __init__(self, policy: TransferPolicy) -> None:
        self._policy, self._failures = policy, 0

    def renew(self) -> None:
        """Note that something went forward."""
        self._failures = 0

    async def wait_after(self, failure: CaregridError) -> None:
        """Wait before the next attempt; raises the failure when there is to be none."""
        self._failures += 1
        delay_s = self._policy.delay_s(self._failures)
        if delay_s is None:
            raise failure
        if isinstance(failure, RateLimited):
            if failure.retry_after_s > self._policy.longest_delay_s:
                raise failure
            delay_s = failure.retry_after_s
        await asyncio.sleep(delay_s)
