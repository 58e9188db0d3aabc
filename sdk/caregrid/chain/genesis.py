"""Which chain it has to be."""

from __future__ import annotations

import threading


class Genesis:
    """The hash of block 0 that every endpoint must have.

    Where it is not known yet, the first endpoint that answers decides, for all connections that share this.
    """

    def __init__(self, value: bytes | None = None) -> None:
        self._value = value
        self._lock = threading.Lock()

    @classmethod
    def of(cls, given: Genesis | bytes | None) -> Genesis:
        """Return what is shared already, or a new one."""
        return given if isinstance(given, Genesis) else cls(given)

    def admits(self, found: bytes) -> bool:
        """Tell whether an endpoint with this block 0 may serve; connections ask on threads of their own."""
        with self._lock:
            if self._value is None:
                self._value = found
            return self._value == found
