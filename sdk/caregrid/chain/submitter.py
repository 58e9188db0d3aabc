"""Signs and submits calls for one account and waits for finality.

Nothing is trusted to the library's watch loop. An extrinsic is sent, then looked for by hash in finalized
blocks, by number, until its mortal era has ended. So pool statuses, forks and lost connections need no
cases of their own: what stands in a finalized block has happened, and what does not by the end of its era
never will.

What may have been lost on the way is sent again, the same bytes. A call is signed again only when the chain
has shown that nothing that was signed for it before can ever be included.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain import blocks, flights
from caregrid.chain.blocks import ExtrinsicIndex
from caregrid.chain.connection import Connection
from caregrid.chain.flights import Flight, PoolFull, Progress, SignAnew, Signed, Unheard
from caregrid.chain.port import Receipt, Submitter
from caregrid.chain.refusals.pool import NonceTaken
from caregrid.errors import CallLapsed, CaregridError, ChainBusy, ChainTimeout, ChainUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from caregrid.chain.genesis import Genesis
    from caregrid.chain.port import Call

#: An era and a margin for finality to catch up.
FINALITY_TIMEOUT_S: Final = 180.0
#: A nonce that was off is counted anew and the call signed again; more often than this is no accident.
MAX_SIGNINGS: Final = 4
#: Calls that are signed with one look at the chain: a look costs as much as signing a small call.
SIGNED_AT_ONCE: Final = 16
#: A pool drops an extrinsic silently when it overflows; it is offered again after so many blocks.
OFFER_AGAIN_AFTER: Final = 8
#: A pool that takes in much at once may lose one, and all behind it wait. When the account's nonce has stood
#: still for so many blocks, all is offered again: the next in turn would have been in one of them.
STALLED_AFTER: Final = 3
#: A chain that builds a block only when it is given something stands still when it loses what it was given.
OFFER_AGAIN_AFTER_S: Final = 30.0
#: A full pool has room again with the next block; one that stays full is more than this client's doing.
POOL_FULL_TIMEOUT_S: Final = 30.0
POOL_POLL_S: Final = 1.0


class SubstrateSubmitter(Submitter):
    """One per key and process: it alone counts the account's nonces."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        account: bytes,
        sign: Callable[[bytes], bytes],
        genesis: Genesis | bytes | None = None,
    ) -> None:
        """Remember who signs.

        Args:
            urls: as for :class:`~caregrid.chain.connection.Connection`.
            account: the sr25519 public key, 32 bytes.
            sign: returns the 64-byte sr25519 signature of a payload (context `substrate`).
            genesis: as for :class:`~caregrid.chain.connection.Connection`.
        """
        self.account = account
        self._sign = sign
        self._connection = Connection(urls, genesis=genesis)
        self._index = ExtrinsicIndex()
        self._sending = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._nonce: int | None = None
        self._under_way: set[Flight] = set()
        self._progress: Progress | None = None
        self._looked_at = 0.0
        self._moved_at = 0  # the block in which the account's nonce was last seen to have grown

    async def submit(self, call: Call) -> Receipt:
        """Sign, submit, and wait until the call is in a finalized block."""
        result = (await self.submit_many([call]))[0]
        if isinstance(result, Exception):
            raise result
        return result

    async def submit_many(self, calls: Iterable[Call]) -> list[Receipt | Exception]:
        """Submit several calls, pipelined; the results stand in the order of the calls."""
        sent: list[Flight] = []
        try:
            async with self._sending:
                pending = iter(calls)
                while chunk := [Flight(call=call) for call in itertools.islice(pending, SIGNED_AT_ONCE)]:
                    sent += chunk
                    self._under_way.update(chunk)
                    if fault := await self._send(chunk):
                        # Whoever cannot be reached for these cannot be for the others.
                        sent += [Flight(call=call, outcome=fault) for call in pending]
            return await self._wait(sent)
        finally:
            self._under_way.difference_update(sent)

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()

    async def _send(self, chunk: Sequence[Flight]) -> CaregridError | None:
        """Sign and send each; those that come to nothing have their outcome. For who holds `_sending`.

        Returns:
            why nothing can be signed now, if that is so.
        """
        left = deque(chunk)
        while left:
            wanted = [flight.call for flight in left]
            try:
                prepared = await self._connection.run(
                    lambda client, wanted=wanted: flights.prepare(  # type: ignore[misc] # mypy cannot infer a lambda with a default
                        client, self.account, self._sign, wanted, self._nonce
                    )
                )
            except CaregridError as fault:
                _end(left, fault)
                return fault
            await self._send_prepared(left, prepared)
        return None

    async def _send_prepared(self, left: deque[Flight], prepared: Iterable[Signed | CaregridError]) -> None:
        """Send until something shows that the rest has to be signed anew."""
        for one in prepared:
            if isinstance(one, CaregridError):
                left.popleft().outcome = one
                continue
            # Only what is known to be in a pool has used its nonce up.
            self._nonce = None
            if not await self._offer(left, one):
                return
            self._nonce = one.nonce + 1

    async def _offer(self, left: deque[Flight], one: Signed) -> bool:
        """Send the first; tell whether the next nonce is the next one."""
        flight = left[0]
        flight.tries.append(one)
        flight.offered(one.born, self._connection.breaks)
        try:
            await self._give(one.raw)
        except (ChainUnreachable, Unheard):
            # The node may have it or not: the search in finalized blocks will tell.
            left.popleft()
        except SignAnew as old:
            flight.refused.add(one.hash)
            await self._refused(left, old)
        except PoolFull:
            _end(left, ChainBusy())
            left.clear()
        except CaregridError as refusal:
            left.popleft().outcome = refusal
        else:
            left.popleft()
            return True
        return False

    async def _refused(self, left: deque[Flight], old: SignAnew) -> None:
        flight = left[0]
        flight.refusals += 1
        if flight.refusals >= MAX_SIGNINGS:
            left.popleft().outcome = old.refusal
        else:
            await asyncio.sleep((flight.refusals - 1) * blocks.POLL_INTERVAL_S)

    async def _give(self, raw: bytes) -> None:
        """Give an extrinsic to a node; wait for room, and hold back all others meanwhile."""
        deadline = time.monotonic() + POOL_FULL_TIMEOUT_S
        while True:
            try:
                return await self._connection.run(lambda client: flights.offer(client, raw), repeat=False)
            except PoolFull:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(POOL_POLL_S)

    async def _wait(self, sent: Sequence[Flight]) -> list[Receipt | Exception]:
        waiting = [flight for flight in sent if flight.outcome is None]
        try:
            async with asyncio.timeout(FINALITY_TIMEOUT_S):
                await self._search(waiting)
        except TimeoutError:
            self._nonce = None
            for flight in _open(waiting):
                flight.outcome = ChainTimeout(settled_at=flight.last)
        return [flight.outcome for flight in sent if flight.outcome is not None]

    async def _search(self, waiting: Sequence[Flight]) -> None:
        """Give each its outcome as blocks become final."""
        number = min((one.born for flight in waiting for one in flight.tries), default=0) + 1
        while still := _open(waiting):
            try:
                progress = await self._look()
                while _open(still) and number <= progress.head.number:
                    await self._settle(_open(still), number)
                    number += 1
                await self._mend(_open(still), progress)
            except ChainUnreachable:
                # Unknown is not failed: the search goes on until the deadline.
                pass
            except CaregridError as fault:
                _end(_open(still), fault)
            if _open(still):
                await asyncio.sleep(blocks.POLL_INTERVAL_S)

    async def _look(self) -> Progress:
        """Return how far the chain is; many that wait ask the node once."""
        async with self._looking:
            if self._progress is None or time.monotonic() - self._looked_at >= blocks.POLL_INTERVAL_S:
                before = self._progress
                found = await self._connection.run(
                    lambda client: flights.progress(client, self.account, before)
                )
                if before is None or found.nonce != before.nonce:
                    self._moved_at = found.head.number
                self._progress, self._looked_at = found, time.monotonic()
            return self._progress

    async def _settle(self, still: Sequence[Flight], number: int) -> None:
        by_hash = {one.hash: flight for flight in still for one in flight.tries}
        executed = await self._connection.run(lambda client: self._index.find(client, number, set(by_hash)))
        for one, result in executed.items():
            by_hash[one].outcome = result.rejection or Receipt(
                block=result.block, extrinsic_hash=one, events=result.events
            )
        for flight in _open(still):
            if flight.last <= number:
                # Its nonce is free again; calls behind a gap would never be included.
                self._nonce = None
                flight.outcome = CallLapsed()

    async def _mend(self, still: Sequence[Flight], progress: Progress) -> None:
        """Sign again what has been shown to be dead, and send again what may be lost."""
        dead = [flight for flight in still if flight.is_dead(progress)]
        gaps = [flight for flight in dead if flight.leaves_gap(progress)]
        await self._fill_gaps(gaps, progress)
        await self._sign_again([flight for flight in dead if flight not in gaps])
        height, breaks = progress.head.number, self._connection.breaks
        doubtful = [
            flight
            for flight in still
            if flight not in dead and (flight.breaks != breaks or self._seems_lost(flight, height))
        ]
        if doubtful:
            raws = [one.raw for flight in doubtful for one in flight.tries]
            await self._connection.run(lambda client: flights.offer_again(client, raws), repeat=False)
            for flight in doubtful:
                flight.offered(height, breaks)

    def _seems_lost(self, flight: Flight, height: int) -> bool:
        waited, stalled = height - flight.offered_at, height - self._moved_at
        silent = waited <= 0 and time.monotonic() - flight.offered_when >= OFFER_AGAIN_AFTER_S
        return silent or waited >= OFFER_AGAIN_AFTER or min(waited, stalled) >= STALLED_AFTER

    async def _sign_again(self, dead: Sequence[Flight]) -> None:
        """Take the next nonces: somebody else has used those that these calls had."""
        if not dead:
            return
        for flight in dead:
            flight.refusals += 1
        _end([flight for flight in dead if flight.refusals >= MAX_SIGNINGS], NonceTaken())
        async with self._sending:
            self._nonce = None
            await self._send(_open(dead))

    async def _fill_gaps(self, dead: Sequence[Flight], progress: Progress) -> None:
        """Take the nonces that are left open by calls for a runtime that was replaced.

        A pool may keep the old ones for a while, and refuse others in their place: then the next look at the
        chain is another occasion.
        """
        for flight in dead:
            async with self._sending:
                tries = [one for each in self._under_way for one in each.live]
                taken = {one.nonce for one in tries if one.spec >= progress.spec}
                flight.refusals = 0
                await self._send_into(flight, taken)
                self._nonce = None

    async def _send_into(self, flight: Flight, taken: set[int]) -> None:
        def prepare(client: Any) -> list[Signed | CaregridError]:
            nonce = flights.free_nonce(client, self.account, taken)
            return flights.prepare(client, self.account, self._sign, [flight.call], nonce)

        [one] = await self._connection.run(prepare)
        if isinstance(one, CaregridError):
            flight.outcome = one
        else:
            await self._offer(deque([flight]), one)


def _open(waiting: Iterable[Flight]) -> list[Flight]:
    return [flight for flight in waiting if flight.outcome is None]


def _end(ended: Iterable[Flight], outcome: Exception) -> None:
    for flight in ended:
        flight.outcome = outcome
