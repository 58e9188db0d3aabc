"""A long stream sealed and opened, beside what the processor can do with the two primitives alone."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caregrid.sealed import Opener, Sealer, new_data_key, new_record_id

if TYPE_CHECKING:
    from collections.abc import Callable

#: Of the stream, as a file is read; also a segment of the sealed record.
CHUNK: Final = 1 << 20


def seal_and_open(length: int) -> tuple[float, float]:
    """Return bytes a second of a core for sealing a stream and for opening it; a segment at most is held."""
    key, record_id = new_data_key(), new_record_id()
    chunk, sealing = os.urandom(CHUNK), _Clock()
    opening = _Clock()
    sealer, opener = Sealer(key, record_id), Opener(key, record_id)
    for _ in range(length // CHUNK):
        with sealing:
            sealed = sealer.update(chunk)
        with opening:
            opener.update(sealed)
    with sealing:
        sealed = sealer.finish()
    with opening:
        opener.update(sealed)
        opener.finish()
    return length / sealing.seconds, length / opening.seconds


def hashed(length: int) -> float:
    """Return bytes a second of a core of SHA-256."""
    chunk, digest = os.urandom(CHUNK), hashlib.sha256()

    def update() -> None:
        digest.update(chunk)

    return _rate(length, update)


def encrypted(length: int) -> float:
    """Return bytes a second of a core of AES-256-GCM, a chunk at a time under one key."""
    chunk, cipher, numbers = os.urandom(CHUNK), AESGCM(os.urandom(32)), itertools.count()
    return _rate(length, lambda: cipher.encrypt(next(numbers).to_bytes(12), chunk, None))


def _rate(length: int, work: Callable[[], object]) -> float:
    begun = time.thread_time()
    for _ in range(length // CHUNK):
        work()
    return length / (time.thread_time() - begun)


class _Clock:
    """Adds up the time within it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._begun = time.thread_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.thread_time() - self._begun
