"""Many may work while none sets up; one sets up while none works."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class SetUpLock:
    """A lock with two modes, for threads; who wants to set up goes before those who come later to work."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._working = 0
        self._setting_up = 0  # waiting for it, or in it

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold the lock together with others that work."""
        with self._changed:
            self._changed.wait_for(lambda: self._setting_up == 0)
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """Hold the lock alone."""
        with self._changed:
            self._setting_up += 1
            self._changed.wait_for(lambda: self._working == 0)
            self._working = -1
        try:
            yield
        finally:
            with self._changed:
                self._working = 0
                self._setting_up -= 1
                self._changed.notify_all()
