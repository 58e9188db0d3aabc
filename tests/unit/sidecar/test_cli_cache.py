"""`caregrid cache clear`, and what `doctor` and the metrics tell of the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from caregrid.chain.answers import AnswerCounts
from ocw_sidecar.adapters.redis import RedisCache
from ocw_sidecar.cli import doctor_sidecar
from ocw_sidecar.settings import Settings
from ocw_sidecar.settings.redis import RedisSettings
from ocw_sidecar.testing import ORGANISATION
from ocw_sidecar.workers.batches import CacheCounts
from tests.command_line import caregrid
from tests.redis_server import running_redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis."""
    with running_redis(tmp_path_factory.mktemp("redis")) as made:
        yield made.url


def config(folder: Path, url: str | None) -> Path:
    """Write a configuration with a cache, or without."""
    path = folder / "sidecar.toml"
    lines = [f'home = "{folder}"', f'organisation = "0x{"01" * 32}"']
    lines += [] if url is None else ["[redis]", f'url = "{url}"']
    path.write_text("\n".join(lines) + "\n")
    return path


def test_clear_says_how_many_there_were(tmp_path: Path, redis_url: str) -> None:
    """What is there goes; the second time there is nothing."""
    cache = RedisCache(RedisSettings.model_validate({"url": redis_url}), bytes(32))
    for number in range(3):
        cache.put(number.to_bytes(32), b"answer")
    file = config(tmp_path, redis_url)
    for expected in (3, 0):
        answer = caregrid("cache", "clear", "--config", file, "--json")
        assert (0, {"removed": expected}) == (answer.exit_code, answer.json)
    assert cache.get(bytes(32)) is None
    cache.close()


@pytest.mark.parametrize(
    ("url", "code", "advice"),
    [(None, "CONFIG_INVALID", "redis.url"), (NOBODY, "CACHE_UNREACHABLE", "Redis runs")],
)
def test_clear_without_a_cache_says_what_to_do(
    tmp_path: Path, url: str | None, code: str, advice: str
) -> None:
    """There is none, or nobody answers."""
    answer = caregrid("cache", "clear", "--config", config(tmp_path, url), "--json")
    assert code == answer.error["error"]
    assert advice in answer.error["message"]
    assert 0 != answer.exit_code


async def test_doctor_looks_at_the_cache_that_is_configured(tmp_path: Path, redis_url: str) -> None:
    """Without one there is nothing to look at."""
    for url, expected in ((redis_url, [True]), (NOBODY, [False]), (None, [])):
        settings = Settings.load(home=tmp_path, organisation=ORGANISATION, redis={"url": url})
        assert expected == [each.ok for each in await doctor_sidecar.cache(settings)]


def test_metrics_tell_the_hits() -> None:
    """In Prometheus' form, read off when they are asked for."""
    registry, counts = CollectorRegistry(), AnswerCounts()
    registry.register(CacheCounts(counts))
    counts.hits, counts.misses = 3, 1
    told = generate_latest(registry).decode()
    assert 'caregrid_chain_cache_reads_total{found="hit"} 3.0' in told
    assert 'caregrid_chain_cache_reads_total{found="miss"} 1.0' in told
