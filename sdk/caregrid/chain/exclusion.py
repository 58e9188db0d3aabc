"""One thread at a time works with the library's decoder classes; who waits for a node lets others in."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


class Turn:
    """A lock that its holder gives up while he waits for something outside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold it; wait until it is free."""
        with self._lock:
            yield

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Let others have it meanwhile; only for who holds it."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()


#: The library's decoder classes are global, and each points at the type registry that was used last, of
#: whichever client: so of all the threads in the process one at a time encodes, decodes, or fills a registry.
#: The interpreter would not let two of them compute at the same time anyway.
CODEC: Final = Turn()
