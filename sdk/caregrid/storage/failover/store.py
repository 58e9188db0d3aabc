"""An object store over several gateways to one storage network."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from caregrid.errors import CaregridError, ObjectUnknown, RateLimited
from caregrid.storage import _checks, _sources
from caregrid.storage.failover.hedging import Opened, Race
from caregrid.storage.failover.policy import FailoverPolicy, Verdict
from caregrid.storage.failover.pool import Pool
from caregrid.storage.port import ObjectStore

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Container,
        Mapping,
        Sequence,
    )
    from pathlib import Path

    from caregrid.storage.failover.pool import GatewayState
    from caregrid.storage.port import NodeState, ObjectStat, Repair, SegmentFragments, Source, StoredEntry
    from caregrid.storage.progress import Progress
    from caregrid.storage.territory import Territory

T = TypeVar("T")


class FailoverStore(ObjectStore):
    """Asks the gateway that does best, and the next one when it fails.

    All gateways, named for an operator, lead to the same network: what one stores, the others find. Every
    request may be made twice, since objects have their content's id. Reads are hedged: a range that does not
    begin to come in time is asked from a second gateway, too. An object is unknown when every gateway has
    said so, not when one that might know it is down.

    Raises:
        ConfigInvalid: there is no gateway.
    """

    def __init__(
        self,
        gateways: Mapping[str, ObjectStore],
        policy: FailoverPolicy | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = Pool(gateways, policy or FailoverPolicy(), clock)

    def gateways(self) -> tuple[GatewayState, ...]:
        """Return how every gateway has been doing, without asking any."""
        return self._pool.states()

    async def put(self, source: Source, *, progress: Progress | None = None) -> bytes:
        """Store content through one of the gateways; see `ObjectStore.put`."""
        async with _sources.repeatable(source) as content:
            return await self._any(lambda store: store.put(content, progress=progress))

    async def read_range(self, object_id: bytes, offset: int, length: int) -> bytes:
        """Return bytes of an object; see `ObjectStore.read_range`."""
        return b"".join([chunk async for chunk in self.stream_range(object_id, offset, length)])

    async def stream_range(self, object_id: bytes, offset: int, length: int) -> AsyncGenerator[bytes]:
        """Yield bytes of an object, from one gateway after the other if need be; see `ObjectStore`."""
        _checks.require_range(object_id, offset, length)
        end, broken = offset + length, set[int]()
        while offset < end:
            opened = await self._opened(object_id, offset, end - offset, broken)
            async with aclosing(opened.rest) as rest, self._noting(opened.place):
                broken.add(opened.place)  # unless this is the end, it did break off
                offset += len(opened.first)
                yield opened.first
                async for chunk in rest:
                    offset += len(chunk)
                    yield chunk

    async def download(
        self, object_id: bytes, target: Path, *, progress: Progress | None = None, resume: bool = False
    ) -> int:
        """Write a whole object to a file; see `ObjectStore.download`.

        With `resume`, the next gateway goes on where one broke off.
        """
        return await self._any(
            lambda store: store.download(object_id, target, progress=progress, resume=resume)
        )

    async def stat(self, object_id: bytes) -> ObjectStat | None:
        """Return what is known of an object; None when no gateway knows it; see `ObjectStore.stat`."""

        async def ask(store: ObjectStore) -> ObjectStat:
            found = await store.stat(object_id)
            if found is None:
                raise ObjectUnknown
            return found

        try:
            return await self._any(ask)
        except ObjectUnknown:
            return None

    async def fragments(
        self, object_id: bytes, *, checked: bool = False
    ) -> tuple[SegmentFragments, ...] | None:
        """Return an object's fragments; see `ObjectStore.fragments`."""
        return await self._any(lambda store: store.fragments(object_id, checked=checked))

    async def repair(self, object_id: bytes) -> Repair | None:
        """Have an object repaired; see `ObjectStore.repair`."""
        return await self._any(lambda store: store.repair(object_id))

    async def delete(self, object_id: bytes) -> bool:
        """Give an object up; see `ObjectStore.delete`."""

        async def ask(store: ObjectStore) -> bool:
            if not await store.delete(object_id):
                raise ObjectUnknown
            return True

        try:
            return await self._any(ask)
        except ObjectUnknown:
            return False

    async def list(self, after: bytes | None = None) -> AsyncGenerator[StoredEntry]:
        """Yield what the account stored; another gateway goes on where one fails; see `ObjectStore.list`."""
        errors: Sequence[CaregridError] = ()
        for place in self._pool.ranked(reads=False):
            self._pool.begin(place)
            try:
                async with aclosing(self._pool.stores[place].list(after)) as entries:
                    async for entry in entries:
                        after = entry.object_id
                        yield entry
            except CaregridError as exc:
                self._note(place, exc)
                errors = [*errors, exc]
                continue
            self._pool.note_answer(place)
            return
        raise self._pool.policy.conclusion(errors)

    async def nodes(self) -> tuple[NodeState, ...] | None:
        """Return the storage nodes; see `ObjectStore.nodes`."""
        return await self._any(lambda store: store.nodes())

    async def territory(self) -> Territory | None:
        """Return the territory; see `ObjectStore.territory`."""
        return await self._any(lambda store: store.territory())

    async def close(self) -> None:
        """Close every gateway's connections."""
        for store in self._pool.stores:
            await store.close()

    async def _any(self, ask: Callable[[ObjectStore], Awaitable[T]]) -> T:
        deadline = self._pool.clock() + self._pool.policy.wait_for_busy_s
        while True:
            errors: Sequence[CaregridError] = ()
            for place in self._pool.ranked(reads=False):
                try:
                    return await self._at(place, ask)
                except CaregridError as exc:
                    errors = [*errors, exc]
                    if self._pool.policy.verdict(exc) is Verdict.FINAL:
                        raise
            await self._wait_or_raise(errors, deadline)

    async def _at(self, place: int, ask: Callable[[ObjectStore], Awaitable[T]]) -> T:
        refusal = self._pool.refusal(place)
        if refusal is not None:
            raise refusal
        self._pool.begin(place)
        try:
            answer = await ask(self._pool.stores[place])
        except CaregridError as exc:
            self._pool.note_error(place, exc)
            raise
        self._pool.note_answer(place)
        return answer

    async def _opened(self, object_id: bytes, offset: int, length: int, broken: Container[int]) -> Opened:
        def open_at(place: int) -> AsyncGenerator[bytes]:
            return self._pool.stores[place].stream_range(object_id, offset, length)

        deadline = self._pool.clock() + self._pool.policy.wait_for_busy_s
        while True:
            # A gateway that broke off this very stream is asked for the rest of it last.
            ranked = sorted(self._pool.ranked(reads=True), key=broken.__contains__)
            busy = {place: refusal for place in ranked if (refusal := self._pool.refusal(place))}
            places = [place for place in ranked if place not in busy]
            outcome = await Race(self._pool, open_at).run(places)
            if isinstance(outcome, Opened):
                return outcome
            await self._wait_or_raise([*outcome, *busy.values()], deadline)

    async def _wait_or_raise(self, errors: Sequence[CaregridError], deadline: float) -> None:
        # A final error stands alone, so it is never waited on.
        busy = any(isinstance(error, RateLimited) for error in errors)
        wait_s = self._pool.busy_for_s()
        if not busy or self._pool.clock() + wait_s >= deadline:
            raise self._pool.policy.conclusion(errors)
        await asyncio.sleep(wait_s)

    @asynccontextmanager
    async def _noting(self, place: int) -> AsyncIterator[None]:
        # A stream that breaks off is gone on with elsewhere.
        try:
            yield
        except CaregridError as exc:
            self._note(place, exc)

    def _note(self, place: int, error: CaregridError) -> None:
        if self._pool.note_error(place, error) is Verdict.FINAL:
            raise error
