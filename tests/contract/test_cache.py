"""What every cache must do: in this process, and in Redis."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

import pytest

from ocw_sidecar.adapters.alone import MAX_CACHED, MemoryCache
from ocw_sidecar.adapters.redis import ANSWER_TIMEOUT_S, RedisCache
from ocw_sidecar.ports import MAX_CACHE_KEY_BYTES, MAX_CACHE_VALUE_BYTES
from tests.redis_server import running_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ocw_sidecar.ports import Cache
    from tests.redis_server import RedisServer

NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis."""
    with running_redis(tmp_path_factory.mktemp("redis")) as made:
        yield made


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    """Each kind of cache, empty."""
    if request.param == "memory":
        made: Cache = MemoryCache()
    else:
        made = RedisCache(request.getfixturevalue("server").url, prefix=request.node.name)
    yield made
    await made.close()


async def test_value_is_remembered_until_it_is_replaced(cache: Cache) -> None:
    """What was put last is what is got, byte for byte."""
    assert await cache.get(b"key") is None
    await cache.put(b"key", b"\x00\xff", ttl_s=60)
    assert b"\x00\xff" == await cache.get(b"key")
    await cache.put(b"key", b"", ttl_s=60)
    assert b"" == await cache.get(b"key")
    assert await cache.get(b"another") is None


async def test_value_is_forgotten_after_its_time(cache: Cache) -> None:
    """Nothing is remembered for longer than it may be."""
    await cache.put(b"key", b"value", ttl_s=0.05)
    await asyncio.sleep(0.06)
    assert await cache.get(b"key") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"k" * (MAX_CACHE_KEY_BYTES + 1), b"v"), (b"k", b"v" * (MAX_CACHE_VALUE_BYTES + 1))],
)
async def test_what_is_too_large_is_not_kept(cache: Cache, key: bytes, value: bytes) -> None:
    """Keys and values are bounded; more is a miss, not an error."""
    await cache.put(key, value, ttl_s=60)
    assert await cache.get(key) is None


async def test_largest_value_is_kept(cache: Cache) -> None:
    """The bounds themselves are within them."""
    key, value = b"k" * MAX_CACHE_KEY_BYTES, b"v" * MAX_CACHE_VALUE_BYTES
    await cache.put(key, value, ttl_s=60)
    assert value == await cache.get(key)


async def test_memory_forgets_what_was_used_longest_ago() -> None:
    """The number of values is bounded, and what is in use stays."""
    cache = MemoryCache()
    for number in range(MAX_CACHED):
        await cache.put(b"%d" % number, b"v", ttl_s=60)
    assert b"v" == await cache.get(b"0")
    await cache.put(b"one more", b"v", ttl_s=60)
    assert b"v" == await cache.get(b"0")
    assert await cache.get(b"1") is None


async def test_prefixes_keep_apart(server: RedisServer) -> None:
    """Two installations on one Redis do not see each other's values."""
    one, other = RedisCache(server.url, prefix="one"), RedisCache(server.url, prefix="other")
    await one.put(b"key", b"value", ttl_s=60)
    assert await other.get(b"key") is None
    await one.close()
    await other.close()


async def test_absent_redis_is_a_cache_that_knows_nothing() -> None:
    """Nobody there is no error."""
    cache = RedisCache(NOBODY, prefix="x")
    await cache.put(b"key", b"value", ttl_s=60)
    assert await cache.get(b"key") is None
    await cache.close()


async def test_hanging_redis_costs_one_deadline(server: RedisServer) -> None:
    """A Redis that stands still is asked once, briefly, and then left alone for a while."""
    cache = RedisCache(server.url, prefix="x")
    await cache.put(b"key", b"value", ttl_s=60)
    server.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        for _ in range(20):
            assert await cache.get(b"key") is None
        assert time.monotonic() - began < 5 * ANSWER_TIMEOUT_S
    finally:
        server.process.send_signal(signal.SIGCONT)
        await cache.close()
