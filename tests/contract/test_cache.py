"""The cache in a real Redis, and the chain read through it."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import redis

from caregrid.chain import SubstrateChain
from caregrid.chain.answers import MAX_ANSWER, AnswerCounts, Answers, key_of
from caregrid.chain.walking import blocks_until
from caregrid.errors import CacheUnreachable, ConfigInvalid
from ocw_sidecar.adapters.redis import ANSWER_TIMEOUT_S, RedisCache, clear, ping
from ocw_sidecar.settings.redis import RedisSettings
from tests.redis_server import running_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caregrid.chain import FinalizedBlock
    from tests.redis_server import RedisServer

NOBODY = "redis://127.0.0.1:1/0"
SECRET = bytes(range(32))
KEY, OTHER = bytes(32), b"\x01" * 32
GENESIS, BLOCK = "0x" + "aa" * 32, "0x" + "bb" * 32


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis."""
    with running_redis(tmp_path_factory.mktemp("redis")) as made:
        yield made


@pytest.fixture
def settings(server: RedisServer, request: pytest.FixtureRequest) -> RedisSettings:
    """Settings of a test's own prefix, with signs that mean something in patterns."""
    name = f"[x]*?{abs(hash(request.node.name)):x}"[:32]
    return RedisSettings.model_validate({"url": server.url, "prefix": name})


@pytest.fixture
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    """What an attacker or an accident has."""
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@contextmanager
def opened(settings: RedisSettings, secret: bytes = SECRET) -> Iterator[RedisCache]:
    """Open a cache and close it."""
    cache = RedisCache(settings, secret)
    yield cache
    cache.close()


def test_answer_is_remembered_until_it_is_replaced(settings: RedisSettings, raw: redis.Redis) -> None:
    """What was put last is what is got, byte for byte, and what was found is counted."""
    assert 0 == raw.dbsize()
    with opened(settings) as cache, opened(settings) as another:
        assert cache.counts == AnswerCounts()
        assert cache.get(KEY) is None
        cache.put(KEY, b"\x00\xff")
        assert b"\x00\xff" == another.get(KEY) == cache.get(KEY)
        cache.put(KEY, b"")
        assert b"" == cache.get(KEY)
        assert cache.get(OTHER) is None
        assert (2, 2, 0.5) == (cache.counts.hits, cache.counts.misses, cache.counts.rate)


def test_answer_is_forgotten_after_its_time(settings: RedisSettings) -> None:
    """Nothing is remembered for longer than it may be."""
    with opened(settings.model_copy(update={"keep_s": 0.05})) as cache:
        cache.put(KEY, b"answer")
        time.sleep(0.08)
        assert cache.get(KEY) is None


@pytest.mark.parametrize(
    "damage", ["other value", "cut", "flipped", "of another key", "too much", "another type"]
)
def test_what_somebody_else_wrote_is_no_answer(
    settings: RedisSettings, raw: redis.Redis, damage: str
) -> None:
    """Who can write to Redis cannot make a sidecar believe anything; neither can damage."""
    with opened(settings) as cache:
        cache.put(KEY, b"answer")
        cache.put(OTHER, b"another answer")
        names: Any = raw.keys()
        [place] = [name for name in names if name.endswith(KEY)]
        [elsewhere] = [name for name in names if name.endswith(OTHER)]
        value: Any = raw.get(place)
        raw.delete(place)
        if damage == "another type":
            raw.lpush(place, value)
        else:
            written = {
                "other value": b"forged",
                "cut": value[:-1],
                "flipped": value[:-1] + bytes([value[-1] ^ 1]),
                "of another key": raw.get(elsewhere),
                "too much": value + bytes(2 * MAX_ANSWER),
            }
            raw.set(place, written[damage])
        assert cache.get(KEY) is None


def test_another_secret_shares_nothing(settings: RedisSettings) -> None:
    """Another organisation's sidecar on the same Redis and prefix is an attacker like any other."""
    with opened(settings) as cache, opened(settings, b"\x07" * 32) as another:
        another.put(KEY, b"answer")
        assert cache.get(KEY) is None


def test_clear_removes_ours_alone(settings: RedisSettings, raw: redis.Redis) -> None:
    """All entries of one prefix go, even very many; a pattern's signs in it stand for themselves."""
    neighbour = settings.model_copy(update={"prefix": "xyz" + settings.prefix[5:]})
    with opened(settings) as cache, opened(neighbour) as other:
        for number in range(2_500):
            cache.put(number.to_bytes(32), b"answer")
        other.put(KEY, b"answer")
        assert 2_501 == raw.dbsize()
        assert 2_500 == clear(settings)
        assert 0 == clear(settings)
        assert b"answer" == other.get(KEY)


def test_absent_redis_is_a_cache_that_knows_nothing() -> None:
    """Nobody there is no error, but for who asks after the cache itself."""
    absent = RedisSettings.model_validate({"url": NOBODY})
    with opened(absent) as cache:
        cache.put(KEY, b"answer")
        assert cache.get(KEY) is None
    for command in (clear, ping):
        with pytest.raises(CacheUnreachable):
            command(absent)
        with pytest.raises(ConfigInvalid, match=r"redis\.url"):
            command(RedisSettings())


def test_hanging_redis_costs_one_deadline(settings: RedisSettings, server: RedisServer) -> None:
    """A Redis that stands still is asked once, briefly, and then left alone for a while."""
    ping(settings)
    with opened(settings) as cache:
        cache.put(KEY, b"answer")
        server.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            for _ in range(20):
                assert cache.get(KEY) is None
            assert time.monotonic() - began < 5 * ANSWER_TIMEOUT_S
        finally:
            server.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("method", "params", "result"),
    [
        ("chain_getHeader", [BLOCK], None),  # not known to this node
        ("state_getKeysPaged", ["0x", 10, None], ["0x00"]),  # of whatever block is best
        ("state_getStorage", ["0x00", None], "0x00"),
        ("chain_getFinalizedHead", [], BLOCK),
        ("chain_getBlockHash", [7], BLOCK),
        ("chain_getBlock", [BLOCK], "x" * MAX_ANSWER),
    ],
)
def test_what_may_change_is_not_kept(
    settings: RedisSettings, raw: redis.Redis, method: str, params: list[Any], result: Any
) -> None:
    """What another moment or another node may answer differently is asked each time."""
    key = key_of(GENESIS, method, params)
    if key is not None:
        with opened(settings) as cache:
            Answers(cache).keep(key, result)
            assert Answers(cache).found(key) is None
    assert 0 == raw.dbsize()


def test_answer_belongs_to_its_question(settings: RedisSettings) -> None:
    """What another chain or another question answers is never taken for it."""
    method, params, result = "state_getKeysPaged", ["0x", 10, None, BLOCK], ["0x00"]
    key = key_of(GENESIS, method, params)
    assert key is not None
    with opened(settings) as cache:
        Answers(cache).keep(key, result)
        assert result == Answers(cache).found(key)
    others = {
        key_of(BLOCK, method, params),
        key_of(GENESIS, method, ["0x", 11, None, BLOCK]),
        key_of(GENESIS, method, ["0x", 10, None, GENESIS]),
        key_of(GENESIS, "chain_getBlock", [BLOCK]),
    }
    assert 4 == len(others - {key, None})
    assert key_of("", method, params) is None
    assert key_of(GENESIS, "chain_getBlock", params) is None


async def followed(node_url: str, cache: RedisCache | None, end: int) -> list[FinalizedBlock]:
    """Return the blocks from 1 to `end`, and look at a page of the state besides."""
    chain = SubstrateChain([node_url], cache=cache)
    try:
        await chain.all_ip_blocks(limit=1)
        return [block async for block in blocks_until(chain, 1, end)]
    finally:
        await chain.close()


async def test_chain_reads_the_same_through_it(
    settings: RedisSettings, raw: redis.Redis, node_url: str
) -> None:
    """Without it, with an empty one, with a full one and with a poisoned one the same comes out."""
    expected = await followed(node_url, None, 5)
    assert 5 == len(expected)
    with opened(settings) as cold:
        assert expected == await followed(node_url, cold, 5)
        first = cold.counts.misses
    with opened(settings) as warm:
        assert expected == await followed(node_url, warm, 5)
        # Events, headers and versions of all five; what is asked at the head is new each time.
        assert warm.counts.hits >= 10
        assert warm.counts.misses < first
    names: Any = raw.keys()
    for name in names:
        raw.set(name, b"nonsense")
    with opened(settings) as poisoned:
        assert expected == await followed(node_url, poisoned, 5)


async def test_chain_is_read_when_redis_goes_away(settings: RedisSettings, node_url: str) -> None:
    """Nobody notices."""
    absent = settings.model_copy(update={"url": RedisSettings.model_validate({"url": NOBODY}).url})
    with opened(absent) as cache:
        assert await followed(node_url, None, 3) == await followed(node_url, cache, 3)
        assert 0 == cache.counts.hits
