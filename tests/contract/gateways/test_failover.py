"""Several gateways, of which some are down, slow, busy or lying."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import sr25519
from aiohttp import web
from aiohttp.test_utils import TestServer

from caregrid.errors import (
    ConfigInvalid,
    FileIdMismatch,
    InputInvalid,
    ObjectUnknown,
    RateLimited,
    StorageUnreachable,
    TerritoryUnusable,
)
from caregrid.storage import (
    FailoverPolicy,
    FailoverStore,
    MemoryObjectStore,
    ObjectStat,
    ObjectStore,
    SizedStream,
    TransferPolicy,
    file_id_of,
    open_store,
)
from caregrid.storage.failover import Circuit
from tests.contract.gateways.clients import PAIR, client, content_of, file_of
from tests.contract.gateways.stock import stock_gateway

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from caregrid.errors import CaregridError
    from caregrid.storage import Progress, Source, StoredEntry

SIZE = 3 * 1024 * 1024 + 5
CONTENT = content_of(SIZE)
FID = file_id_of(CONTENT)
ONE_ATTEMPT = TransferPolicy(attempts=1)
#: A hedge only when a test wants one.
PATIENT = FailoverPolicy(hedge_after_s=60.0)
EAGER = FailoverPolicy(hedge_after_s=0.01)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Gateway(MemoryObjectStore):
    """A store that fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Callable[[], CaregridError] | None = None
        self.fails_after: int | None = None  #: bytes of a stream
        self.hangs = asyncio.Event()
        self.hangs.set()  #: cleared: streams do not begin
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.closed = 0  #: streams that were closed, at their end or before

    def _ask(self) -> None:
        self.asked += 1
        self.was_asked.set()
        if self.fault is not None:
            raise self.fault()

    async def put(self, source: Source, *, progress: Progress | None = None) -> bytes:
        """Store, unless it fails."""
        self._ask()
        return await super().put(source, progress=progress)

    async def stat(self, object_id: bytes) -> ObjectStat | None:
        """Look, unless it fails."""
        self._ask()
        return await super().stat(object_id)

    async def download(
        self, object_id: bytes, target: Path, *, progress: Progress | None = None, resume: bool = False
    ) -> int:
        """Write, unless it fails."""
        self._ask()
        return await super().download(object_id, target, progress=progress, resume=resume)

    async def stream_range(self, object_id: bytes, offset: int, length: int) -> AsyncGenerator[bytes]:
        """Yield, unless it hangs or fails."""
        try:
            self._ask()
            await self.hangs.wait()
            sent = 0
            async for chunk in super().stream_range(object_id, offset, length):
                if self.fails_after is not None and sent >= self.fails_after:
                    raise StorageUnreachable
                sent += len(chunk)
                yield chunk
        finally:
            self.closed += 1

    async def list(self, after: bytes | None = None) -> AsyncGenerator[StoredEntry]:
        """Yield, until it fails."""
        self._ask()
        sent = 0
        async for entry in super().list(after):
            if self.fails_after is not None and sent >= self.fails_after:
                raise StorageUnreachable
            sent += 1
            yield entry


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of three and a bit chunks."""
    return file_of(tmp_path, CONTENT)


async def holding(source: Path, count: int = 2) -> tuple[Gateway, ...]:
    """Return gateways that all have the object."""
    gateways = tuple(Gateway() for _ in range(count))
    for gateway in gateways:
        await gateway.put(source)
        gateway.asked = 0
        gateway.was_asked.clear()
    return gateways


def over(
    *gateways: ObjectStore, policy: FailoverPolicy = PATIENT, clock: Clock | None = None
) -> FailoverStore:
    """Return a store over gateways, named by their places."""
    named = {f"gateway-{place}": gateway for place, gateway in enumerate(gateways)}
    return FailoverStore(named, policy, clock=clock or Clock())


@pytest.mark.parametrize("fault", [StorageUnreachable, RateLimited, FileIdMismatch])
async def test_the_next_gateway_helps_out(source: Path, tmp_path: Path, fault: type[CaregridError]) -> None:
    """Puts, reads and look-ups succeed as long as one gateway does, and give the same id."""
    bad, good = await holding(source)
    bad.fault = fault
    store = over(bad, good)
    assert FID == await store.put(source)
    assert CONTENT == await store.read_range(FID, 0, SIZE)
    assert SIZE == await store.download(FID, tmp_path / "target")
    found = await store.stat(FID)
    assert found is not None
    assert SIZE == found.size


async def test_a_stream_goes_to_the_second_gateway_too(source: Path) -> None:
    """Content that comes only once is there for the next attempt."""
    bad, good = Gateway(), Gateway()
    bad.fault = StorageUnreachable

    async def once() -> AsyncIterator[bytes]:
        yield CONTENT[:10]
        yield CONTENT[10:]

    assert FID == await over(bad, good).put(SizedStream(chunks=once(), size=SIZE))
    assert 1 == bad.asked
    assert source.stat().st_size == len(await good.read_range(FID, 0, SIZE))


@pytest.mark.parametrize("fault", [TerritoryUnusable, InputInvalid])
async def test_what_all_would_say_is_said_at_once(source: Path, fault: type[CaregridError]) -> None:
    """A refusal that has nothing to do with the gateway is not taken to the next one."""
    first, second = await holding(source)
    first.fault = fault
    with pytest.raises(fault):
        await over(first, second).put(source)
    assert 0 == second.asked


async def test_ranges_outside_of_the_object_are_told_at_once(source: Path) -> None:
    """A read past the end is the caller's mistake."""
    first, second = await holding(source)
    with pytest.raises(InputInvalid):
        await over(first, second).read_range(FID, 0, SIZE + 1)
    assert 0 == second.asked


async def test_a_stream_that_breaks_off_goes_on_elsewhere(source: Path) -> None:
    """Every byte comes once and in its place, whichever gateway it comes from."""
    first, second = await holding(source)
    first.fails_after = 1024 * 1024
    store = over(first, second)
    assert CONTENT == await store.read_range(FID, 0, SIZE)
    assert (1, 1) == (first.asked, second.asked)
    assert 1 == store.gateways()[0].failures


async def test_unknown_means_that_all_said_so(source: Path) -> None:
    """An object is unknown only when no gateway that might know it is down."""
    first, second = Gateway(), Gateway()
    store = over(first, second)
    assert await store.stat(FID) is None
    assert not await store.delete(FID)
    with pytest.raises(ObjectUnknown):
        await store.read_range(FID, 0, 1)
    second.fault = StorageUnreachable
    with pytest.raises(StorageUnreachable):
        await store.stat(FID)
    second.fault = None
    await second.put(source)
    assert CONTENT[:5] == await store.read_range(FID, 0, 5)


async def test_a_bad_gateway_is_left_out_and_tried_again(source: Path) -> None:
    """After failures in a row it is not asked any more; when its time is over, a read finds it well."""
    clock = Clock()
    bad, good = await holding(source)
    store = over(bad, good, clock=clock)
    bad.fault = StorageUnreachable
    for _ in range(10):
        await store.stat(FID)
    assert PATIENT.failures_to_open == bad.asked
    assert Circuit.OPEN is store.gateways()[0].circuit
    clock.now += PATIENT.open_for_s
    for _ in range(10):
        await store.read_range(FID, 0, 1)
    assert PATIENT.failures_to_open + 1 == bad.asked
    bad.fault = None
    clock.now += PATIENT.open_at_most_s
    assert CONTENT[:1] == await store.read_range(FID, 0, 1)
    assert PATIENT.failures_to_open + 2 == bad.asked
    assert Circuit.CLOSED is store.gateways()[0].circuit


async def test_when_all_are_left_out_they_are_asked_all_the_same(source: Path) -> None:
    """Nothing fails merely because everything failed a moment ago."""
    (only,) = await holding(source, 1)
    store = over(only)
    only.fault = StorageUnreachable
    for _ in range(5):
        with pytest.raises(StorageUnreachable):
            await store.stat(FID)
    only.fault = None
    assert await store.stat(FID) is not None


async def test_a_slow_read_is_hedged(source: Path) -> None:
    """The second gateway answers instead of one that hangs, and the first request is given up and closed."""
    slow, good = await holding(source)
    slow.hangs.clear()
    store = over(slow, good, policy=EAGER)
    assert CONTENT == await store.read_range(FID, 0, SIZE)
    assert (1, 1) == (slow.asked, good.asked)
    assert (1, 1) == (slow.closed, good.closed)
    assert 0 == store.gateways()[0].failures


async def test_the_slow_one_is_asked_later_next_time(source: Path) -> None:
    """Having been overtaken counts as slowness, so the next read begins with the faster gateway."""
    clock = Clock()
    slow, good = await holding(source)
    slow.hangs.clear()
    store = over(slow, good, policy=EAGER, clock=clock)

    async def pass_time() -> None:
        while not good.asked:
            clock.now += 1
            await asyncio.sleep(0)

    await asyncio.gather(store.read_range(FID, 0, 1), pass_time())
    await store.read_range(FID, 0, 1)
    assert (1, 2) == (slow.asked, good.asked)


async def test_an_early_answer_wins_over_the_hedge(source: Path) -> None:
    """When the second gateway hangs as well, the first one still wins as soon as it answers."""
    first, second = await holding(source)
    first.hangs.clear()
    second.hangs.clear()
    store = over(first, second, policy=EAGER)

    async def release() -> None:
        await second.was_asked.wait()
        first.hangs.set()

    read, _ = await asyncio.gather(store.read_range(FID, 0, SIZE), release())
    assert CONTENT == read
    assert (1, 1) == (first.closed, second.closed)


async def test_a_quick_failure_does_not_wait_for_the_hedge(source: Path) -> None:
    """The next gateway is asked at once when the first one says no."""
    bad, good = await holding(source)
    bad.fault = StorageUnreachable
    async with asyncio.timeout(30):  # the hedge would come after 60 s
        assert CONTENT[:9] == await over(bad, good).read_range(FID, 0, 9)


async def test_a_hedge_that_fails_does_no_harm(source: Path) -> None:
    """The first gateway is still waited for when the second one fails."""
    slow, bad = await holding(source)
    slow.hangs.clear()
    bad.fault = StorageUnreachable
    store = over(slow, bad, policy=EAGER)

    async def release() -> None:
        await bad.was_asked.wait()
        slow.hangs.set()

    read, _ = await asyncio.gather(store.read_range(FID, 0, 9), release())
    assert CONTENT[:9] == read


async def test_a_reader_that_leaves_early_leaves_nothing_open(source: Path) -> None:
    """A stream that is closed in the middle, or a read that is cancelled, closes what it opened."""
    first, second = await holding(source)
    store = over(first, second, policy=EAGER)
    stream = store.stream_range(FID, 0, SIZE)
    await anext(stream)
    await stream.aclose()
    assert 1 == first.closed
    first.hangs.clear()
    second.hangs.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await store.read_range(FID, 0, SIZE)
    assert (first.asked, second.asked) == (first.closed, second.closed)


async def test_busy_gateways_are_left_alone(source: Path) -> None:
    """One that asked for time is not asked before; when all did, the request waits if it is not for long."""
    clock = Clock()
    first, second = await holding(source)
    store = over(first, second, clock=clock)
    first.fault = lambda: RateLimited(retry_after_s=5)
    await store.stat(FID)
    await store.stat(FID)
    assert (1, 2) == (first.asked, second.asked)
    assert store.gateways()[0].busy
    second.fault = lambda: RateLimited(retry_after_s=100)
    clock.now += 5
    first.fault = lambda: RateLimited(retry_after_s=50)
    with pytest.raises(RateLimited):
        await store.stat(FID)
    asked = first.asked, second.asked
    with pytest.raises(RateLimited) as caught:
        await store.read_range(FID, 0, 1)
    assert asked == (first.asked, second.asked)
    assert caught.value.retry_after_s in {50, 100}


async def test_a_short_wait_is_waited(source: Path) -> None:
    """A single gateway that is busy for a moment is asked again by itself."""
    (only,) = await holding(source, 1)
    faults = [RateLimited(retry_after_s=1)]

    def once() -> CaregridError:
        only.fault = None
        return faults.pop()

    only.fault = once
    store = FailoverStore({"only": only}, PATIENT)
    assert CONTENT[:5] == await store.read_range(FID, 0, 5)
    assert 2 == only.asked


async def test_a_list_goes_on_elsewhere(tmp_path: Path) -> None:
    """Every entry comes once and in order although a gateway fails in the middle."""
    first, second = Gateway(), Gateway()
    for number in range(5):
        path = file_of(tmp_path, bytes([number + 1]))
        await first.put(path)
        await second.put(path)
    expected = [entry async for entry in second.list()]
    first.fails_after = 2
    store = over(first, second)
    assert expected == [entry async for entry in store.list()]
    second.fault = StorageUnreachable
    with pytest.raises(StorageUnreachable):
        [entry async for entry in store.list()]


async def test_a_gateway_that_sends_something_else_is_replaced(tmp_path: Path) -> None:
    """A real gateway that lies about an object is found out, and a download comes from the next one."""

    async def lie(request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/file/metadata/"):
            return web.json_response({"code": 200, "msg": "ok", "data": {"size": SIZE}})
        return web.Response(body=bytes(SIZE))

    app = web.Application()
    app.router.add_get("/{path:.*}", lie)
    async with AsyncExitStack() as stack:
        liar = await stack.enter_async_context(TestServer(app))
        stock = await stack.enter_async_context(stock_gateway())
        honest, lying = client(stock.url), client(str(liar.make_url("/")), ONE_ATTEMPT)
        stack.push_async_callback(honest.close)
        stack.push_async_callback(lying.close)
        await honest.put(file_of(tmp_path, CONTENT))
        store = over(lying, honest)
        assert SIZE == await store.download(FID, tmp_path / "target")
        assert 1 == store.gateways()[0].failures
    assert CONTENT == (tmp_path / "target").read_bytes()


async def test_real_gateways_from_settings(tmp_path: Path) -> None:
    """Of two URLs one does not answer: everything works, and an operator sees which one it is."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = f"http://127.0.0.1:{free.getsockname()[1]}/"
    async with stock_gateway() as stock:
        store = open_store([dead, stock.url], PAIR[0], _sign, policy=PATIENT)
        assert FID == await store.put(file_of(tmp_path, CONTENT))
        assert CONTENT[7:99] == await store.read_range(FID, 7, 92)
        assert {dead: True, stock.url: False} == {
            state.name: state.failures > 0 for state in store.gateways()
        }
        await store.close()


def _sign(message: bytes) -> bytes:
    return bytes(sr25519.sign(PAIR, message))


def test_at_least_one_gateway_is_needed() -> None:
    """No URL, or one that is none, is told before anything is asked."""
    with pytest.raises(ConfigInvalid, match="at least one"):
        open_store([], PAIR[0], _sign)
    with pytest.raises(ConfigInvalid):
        open_store(["ftp://gateway"], PAIR[0], _sign)
