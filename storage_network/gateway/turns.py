"""Taking turns at one object."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """A lock for each object, for as long as somebody needs it."""

    def __init__(self) -> None:
        self._locks = WeakValueDictionary[bytes, asyncio.Lock]()

    def of(self, fid: bytes) -> asyncio.Lock:
        """Return the object's lock, which whoever changes the homes of its fragments holds."""
        return self._locks.setdefault(fid, asyncio.Lock())
