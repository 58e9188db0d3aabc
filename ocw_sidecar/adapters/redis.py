"""A cache in Redis. It may be lost, slow, wrong or away at any time, and nobody notices but by speed."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
from redis import Redis
from redis.exceptions import RedisError

from caregrid.chain.answers import MAX_ANSWER, AnswerCache, AnswerCounts
from caregrid.errors import CacheUnreachable, ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocw_sidecar.settings.redis import RedisSettings

T = TypeVar("T")

#: An answer takes a tenth of a millisecond; past this, asking the source is as quick.
ANSWER_TIMEOUT_S: Final = 0.1
#: After a fault nobody asks for so long, so that a dead cache costs no time.
PAUSE_S: Final = 5.0
#: Connections kept open at most; whoever finds none free goes to the source.
MAX_CONNECTIONS: Final = 16
#: Somebody waits for the answers of `clear` and `ping`.
COMMAND_TIMEOUT_S: Final = 5.0

_MAC_LEN: Final = 16
#: What means something in Redis' patterns.
_SIGNS: Final = re.compile(rb"[*?\[\]^\\-]")
#: Keys that are removed by one command.
_PAGE: Final = 1000

log = structlog.get_logger()


class RedisCache(AnswerCache):
    """Answers in Redis, under keys with a prefix, for an hour unless told otherwise.

    Each value begins with a MAC over its key and itself, by a secret that Redis does not know: whoever writes
    to Redis, or damages it, makes entries go unused, and nothing worse.
    """

    def __init__(self, settings: RedisSettings, secret: bytes) -> None:
        """Prepare; nothing is contacted.

        Args:
            settings: where Redis is.
            secret: 32 bytes, of all processes that are to share entries.
        """
        self._client = _client(settings, ANSWER_TIMEOUT_S)
        self._prefix, self._keep_ms = _prefix(settings), max(1, int(settings.keep_s * 1000))
        self._secret = secret
        self._counts = AnswerCounts()
        self._silent_until = 0.0

    @property
    def counts(self) -> AnswerCounts:
        """What was found so far; see `AnswerCache.counts`."""
        return self._counts

    def get(self, key: bytes) -> bytes | None:
        """Return an answer; see `AnswerCache.get`."""
        # No more than an answer may have, whatever somebody else has put there; nothing is no value.
        value = self._ask(lambda: self._client.getrange(self._prefix + key, 0, _MAC_LEN + MAX_ANSWER))
        found = self._opened(key, value) if isinstance(value, bytes) and value else None
        if found is None:
            self._counts.misses += 1
        else:
            self._counts.hits += 1
        return found

    def put(self, key: bytes, answer: bytes) -> None:
        """Remember an answer; see `AnswerCache.put`."""
        value = self._mac(key, answer) + answer
        self._ask(lambda: self._client.set(self._prefix + key, value, px=self._keep_ms))

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def _opened(self, key: bytes, value: bytes) -> bytes | None:
        mac, answer = value[:_MAC_LEN], value[_MAC_LEN:]
        if hmac.compare_digest(mac, self._mac(key, answer)):
            return answer
        log.warning("cache_entry_unusable")
        return None

    def _mac(self, key: bytes, answer: bytes) -> bytes:
        # The key has one length, so the two cannot be told apart differently.
        return hashlib.blake2b(key + answer, key=self._secret, digest_size=_MAC_LEN).digest()

    def _ask(self, question: Callable[[], T]) -> T | None:
        if time.monotonic() < self._silent_until:
            return None
        try:
            return question()
        except (RedisError, OSError) as exc:
            self._silent_until = time.monotonic() + PAUSE_S
            log.warning("cache_silent", fault=type(exc).__name__)
            return None


def clear(settings: RedisSettings) -> int:
    """Remove all entries of this installation; return how many there were.

    Raises:
        ConfigInvalid: no Redis is configured.
        CacheUnreachable: it does not answer; some may be removed.
    """
    removed = 0
    try:
        with _client(settings, COMMAND_TIMEOUT_S) as client:
            page: list[bytes] = []
            for key in client.scan_iter(match=_pattern(settings), count=_PAGE):
                page.append(key)
                if len(page) == _PAGE:
                    removed += client.unlink(*page)
                    page.clear()
            return removed + (client.unlink(*page) if page else 0)
    except (RedisError, OSError) as exc:
        raise CacheUnreachable from exc


def ping(settings: RedisSettings) -> None:
    """Return if Redis answers.

    Raises:
        ConfigInvalid, CacheUnreachable: as `clear`.
    """
    try:
        with _client(settings, COMMAND_TIMEOUT_S) as client:
            client.ping()
    except (RedisError, OSError) as exc:
        raise CacheUnreachable from exc


def _client(settings: RedisSettings, timeout_s: float) -> Redis:
    if settings.url is None:
        raise ConfigInvalid("no cache is configured; set `redis.url`, or leave it out: nothing depends on it")
    client: Redis = Redis.from_url(
        settings.url.get_secret_value(),
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        max_connections=MAX_CONNECTIONS,
        retry=None,
    )
    return client


def _prefix(settings: RedisSettings) -> bytes:
    return f"{settings.prefix}:chain:".encode()


def _pattern(settings: RedisSettings) -> bytes:
    """Return the pattern of our keys; what a prefix has of a pattern's signs stands for itself."""
    return _SIGNS.sub(rb"\\\g<0>", _prefix(settings)) + b"*"
