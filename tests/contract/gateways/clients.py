"""Stores over the gateways of these tests."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import sr25519

from caregrid.storage import DeossStore, TransferPolicy

if TYPE_CHECKING:
    from pathlib import Path

KIB: Final = 1024
CHUNK: Final = 64 * KIB
PAIR: Final = sr25519.pair_from_seed(b"\x07" * 32)
#: Small chunks and no waiting.
QUICK: Final = TransferPolicy(chunk_size=CHUNK, attempts=4, first_delay_s=0.0)


def client(url: str, policy: TransferPolicy = QUICK, territory: str = "caregrid") -> DeossStore:
    """Return a store over the gateway at this URL."""
    return DeossStore(url, PAIR[0], lambda message: sr25519.sign(PAIR, message), territory, policy=policy)


def content_of(size: int, seed: int = 3) -> bytes:
    """Return bytes that are always the same."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - no secret


def file_of(folder: Path, content: bytes) -> Path:
    """Return a file that holds these bytes."""
    path = folder / "source"
    path.write_bytes(content)
    return path
