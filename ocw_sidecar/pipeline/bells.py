"""Wakes whoever waits for work, so that a record does not lie about until the next tick."""

from __future__ import annotations

import asyncio
from enum import StrEnum


class Bell(StrEnum):
    """What can have happened."""

    VALIDATE = "validate"
    PACK = "pack"
    ASSEMBLE = "assemble"
    STORE = "store"
    ANCHOR = "anchor"
    CONFIRM = "confirm"
    BLOCK = "block"  #: the clock took a finalized block in
    REGISTER = "register"  #: a patient is to be registered
    SHARE = "share"  #: a blocked network or an attack signature is to be shared
    NOTIFY = "notify"  #: somebody is to be told something
    SETTLED = "settled"  #: some record reached its end


class Bells:
    """One bell per kind of work.

    Get the bell with `listen` *before* looking for work: a ring in between is then not missed.
    """

    def __init__(self) -> None:
        self._events = {bell: asyncio.Event() for bell in Bell}
        self._rings = dict.fromkeys(Bell, 0)

    def listen(self, bell: Bell) -> asyncio.Event:
        """Return the event that the next ring sets."""
        return self._events[bell]

    def ring(self, *bells: Bell) -> None:
        """Wake everybody who listens to these."""
        for bell in bells:
            self._rings[bell] += 1
            self._wake(bell)

    def ring_all(self) -> None:
        """Wake everybody, to look around: nothing needs to have happened."""
        for bell in Bell:
            self._wake(bell)

    def rings(self, bell: Bell) -> int:
        """Return how often this happened."""
        return self._rings[bell]

    def _wake(self, bell: Bell) -> None:
        self._events[bell].set()
        self._events[bell] = asyncio.Event()


async def heard(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for a ring; return False when there was none in time."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
