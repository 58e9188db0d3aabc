"""What can be done on the chain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caregrid.chain.port.blocks import Call, Receipt


class Submitter(ABC):
    """Signs and submits calls for one account, one at a time or many in flight. One per key and process."""

    account: bytes  #: 32 bytes

    @abstractmethod
    async def submit(self, call: Call) -> Receipt:
        """Sign, submit, and wait until the call is in a finalized block.

        Raises:
            CallRejected: the chain refused the call; of a class in :mod:`caregrid.chain.refusals` by error
                name where there is one.
            CallLapsed: it was not included and never will be; it can be sent again.
            ChainTimeout: outcome unknown at the deadline; look the effect up before sending again, once the
                block `settled_at` is final.
            ChainBusy: there is no room for it now; nothing was sent.
            ChainUnreachable: nothing was sent.
        """

    @abstractmethod
    async def submit_many(self, calls: Iterable[Call]) -> list[Receipt | Exception]:
        """Submit several calls, pipelined; the results stand in the order of the calls."""

    @abstractmethod
    async def close(self) -> None:
        """Release connections and threads."""
