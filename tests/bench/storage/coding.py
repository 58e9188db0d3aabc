"""What becomes of a segment before it goes to the nodes, beside the hashing alone, which is the limit."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

from caregrid.storage.file_id import SEGMENT_SIZE
from caregrid.storage.reed_solomon import SegmentBuffer

if TYPE_CHECKING:
    from collections.abc import Callable


def measure(rounds: int) -> tuple[float, float]:
    """Return the seconds of one core for a segment: parity and all hashes, and the same hashes alone.

    The two take turns, so that a machine that slows down slows both; the fastest round of each counts.
    """
    buffer, content = SegmentBuffer(), os.urandom(SEGMENT_SIZE)

    def fill(room: memoryview) -> int:
        room[:] = content
        return SEGMENT_SIZE

    _, fragments = buffer.take(fill)

    def hash_all() -> None:
        hashlib.sha256(content)
        for fragment in fragments:
            hashlib.sha256(fragment.content)

    def disperse() -> None:
        # The segment is in the buffer already; reading it is not what is measured.
        buffer.take(lambda _: SEGMENT_SIZE)

    pairs = [(_seconds(disperse), _seconds(hash_all)) for _ in range(rounds)]
    return min(first for first, _ in pairs), min(second for _, second in pairs)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun
