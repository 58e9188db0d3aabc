"""A cache in Redis. It may be lost, slow or away at any time, and nobody notices but by speed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, TypeVar

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from ocw_sidecar.ports import Cache, fits_cache

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

#: An answer takes a tenth of a millisecond; past this, asking the source is as quick.
ANSWER_TIMEOUT_S: Final = 0.1

#: After a fault nobody asks for so long, so that a dead cache costs no time.
PAUSE_S: Final = 5.0

#: A value that nobody renews goes, whatever was asked for.
MAX_TTL_S: Final = 24 * 3600.0

#: Connections kept open at most; whoever finds none free goes to the source.
MAX_CONNECTIONS: Final = 16

log = structlog.get_logger()


class RedisCache(Cache):
    """Values in Redis, under keys with a prefix."""

    def __init__(self, url: str, *, prefix: str) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=ANSWER_TIMEOUT_S,
            socket_connect_timeout=ANSWER_TIMEOUT_S,
            max_connections=MAX_CONNECTIONS,
            retry=None,
        )
        self._prefix = f"{prefix}:".encode()
        self._silent_until = 0.0

    async def get(self, key: bytes) -> bytes | None:
        """Return a value; see `Cache.get`."""
        if not fits_cache(key):
            return None
        value = await self._ask(lambda: self._client.get(self._prefix + key))
        return value if isinstance(value, bytes) and fits_cache(key, value) else None

    async def put(self, key: bytes, value: bytes, *, ttl_s: float) -> None:
        """Remember a value; see `Cache.put`."""
        milliseconds = int(min(ttl_s, MAX_TTL_S) * 1000)
        if fits_cache(key, value) and milliseconds > 0:
            await self._ask(lambda: self._client.set(self._prefix + key, value, px=milliseconds))

    async def close(self) -> None:
        """Let the connections go; see `Cache.close`."""
        await self._client.aclose()

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        if time.monotonic() < self._silent_until:
            return None
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await question()
        except (RedisError, OSError, TimeoutError) as exc:
            self._silent_until = time.monotonic() + PAUSE_S
            log.warning("cache_silent", fault=type(exc).__name__)
            return None
