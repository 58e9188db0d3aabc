"""How many bytes a node may keep, and how many it does."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from caregrid.errors import DiskLow

if TYPE_CHECKING:
    from collections.abc import Iterator


class Quota:
    """Counts what fragments and tags take together; any thread may call it."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.used = 0
        self.fragments = 0
        self._counting = threading.Lock()

    def add(self, count: int, *, fragments: int = 0) -> None:
        """Count bytes that are there, or with negative numbers are gone, whatever the limit.

        Args:
            count: bytes.
            fragments: whole fragments among them.
        """
        with self._counting:
            self.used += count
            self.fragments += fragments

    @contextmanager
    def room(self, count: int, *, fragments: int = 0) -> Iterator[None]:
        """Count bytes that are about to be written, and no more should that fail; arguments as `add`.

        Raises:
            DiskLow: they would exceed the limit.
        """
        with self._counting:
            if self.limit is not None and self.used + count > self.limit:
                raise DiskLow("the node holds as much as it may; give it more room or start another node")
            self.used += count
            self.fragments += fragments
        try:
            yield
        except BaseException:
            self.add(-count, fragments=-fragments)
            raise
