"""Answers of a node that never change: those about a block that is named by its hash.

They may be kept anywhere, for any process, since asking again would give the same. What an answer is kept
under tells of the chain, the question and the block; an answer about another block is never taken for it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What is kept, by method: where among the parameters the block's hash stands. Single values at the last
#: block are not: hardly anybody asks for one twice, and looking for it would cost as much as it saves.
KEPT: Final = {
    "chain_getHeader": 0,
    "chain_getBlock": 0,
    "state_getRuntimeVersion": 0,
    "state_getStorage": 1,  # a block's events
    "state_getKeysPaged": 3,
    "state_queryStorageAt": 1,
}
#: Bytes of an answer; a larger one is not kept.
MAX_ANSWER: Final = 1024 * 1024

_KEY_LEN: Final = 32
_TAG: Final = b"caregrid/chain-answer/v1"


@dataclass(kw_only=True, slots=True)
class AnswerCounts:
    """How much was found; of a process, since it began."""

    hits: int = 0
    misses: int = 0

    @property
    def rate(self) -> float | None:
        """The share that was found; None before the first question."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None

    def since(self, earlier: AnswerCounts) -> AnswerCounts:
        """Return what came after an earlier state of the same counts."""
        return AnswerCounts(hits=self.hits - earlier.hits, misses=self.misses - earlier.misses)


class AnswerCache(Protocol):
    """Remembers answers for a while, or not. It blocks for a moment at most, and never raises.

    Used by several threads. Nothing depends on it but speed.
    """

    @property
    def counts(self) -> AnswerCounts:
        """What was found in it so far."""

    def get(self, key: bytes) -> bytes | None:
        """Return what was put under a key of 32 bytes, if it is still remembered."""

    def put(self, key: bytes, answer: bytes) -> None:
        """Remember an answer, of `MAX_ANSWER` bytes at most."""


class Answers:
    """What one client finds in a cache and puts there."""

    def __init__(self, cache: AnswerCache) -> None:
        self._cache = cache

    def found(self, key: bytes) -> Any:
        """Return what a node answers to a question (see `key_of`), if that is known; None: ask."""
        answer = self._cache.get(key)
        return None if answer is None else json.loads(answer)

    def keep(self, key: bytes, result: Any) -> None:
        """Remember what a node answered; that it does not know a block is no answer."""
        if result is None:
            return
        answer = json.dumps(result, separators=(",", ":")).encode()
        if len(answer) <= MAX_ANSWER:
            self._cache.put(key, answer)


def key_of(genesis: str, method: str, params: Sequence[Any]) -> bytes | None:
    """Return what the answer to a question is kept under; None: it may change, or is not worth keeping."""
    at = KEPT.get(method)
    if not genesis or at is None or len(params) <= at or not _is_hash(params[at]):
        return None
    question = json.dumps([genesis, method, list(params)], separators=(",", ":")).encode()
    return hashlib.blake2b(_TAG + question, digest_size=_KEY_LEN).digest()


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 2 + 2 * _KEY_LEN
